// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/spice_client.hpp"

#include "tests/device/machine.hpp"
#include "tests/device/spice_ticket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

namespace vramlink::test {

namespace {

enum Channel : std::uint8_t { main_channel = 1, display_channel = 2 };
enum Message : std::uint16_t { main_init = 103, attach_channels = 104, display_init = 101 };

constexpr std::uint32_t magic = 0x51444552; ///< "REDQ"

#pragma pack(push, 1)
struct LinkHeader {
    std::uint32_t magic, major, minor, size;
};
struct LinkMessage {
    std::uint32_t connection;
    std::uint8_t channel, channel_id;
    std::uint32_t common_caps, channel_caps, caps_offset;
};
struct LinkReply {
    std::uint32_t error;
    SpiceKey key;
    std::uint32_t common_caps, channel_caps, caps_offset;
};
struct DataHeader {
    std::uint64_t serial;
    std::uint16_t type;
    std::uint32_t size, sub_list;
};
struct DisplayInit {
    std::uint8_t cache_id;
    std::int64_t cache_size; ///< pixels
    std::uint8_t dictionary_id;
    std::int32_t dictionary_size;
};
#pragma pack(pop)
static_assert(sizeof(LinkMessage) == 18 && sizeof(LinkReply) == 178 && sizeof(DataHeader) == 18 &&
              sizeof(DisplayInit) == 14);

bool read_all(int fd, void *to, std::size_t size)
{
    constexpr int limit_ms = 10'000;
    auto *bytes = static_cast<std::uint8_t *>(to);
    while (size > 0) {
        pollfd ready{fd, POLLIN, 0};
        if (poll(&ready, 1, patience(limit_ms)) != 1)
            return false;
        const ssize_t got = read(fd, bytes, size);
        if (got <= 0)
            return false;
        bytes += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

bool skip(int fd, std::size_t size)
{
    std::vector<std::uint8_t> skipped(size);
    return read_all(fd, skipped.data(), size);
}

/// Short messages only.
template <class T> bool write_one(int fd, const T &message)
{
    return send(fd, &message, sizeof message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof message);
}

bool write_message(int fd, Message type, std::uint32_t size)
{
    return write_one(fd, DataHeader{1, type, size, 0});
}

UniqueFd connect_to(const std::string &socket)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        return {};
    return fd;
}

/// A channel whose link stands; empty when the server does not want it. From a client without capabilities
/// the server takes a ticket at once.
UniqueFd open_channel(const std::string &socket, Channel channel, std::uint32_t connection)
{
    UniqueFd fd = connect_to(socket);
    LinkHeader header{magic, 2, 2, sizeof(LinkMessage)};
    LinkReply reply{};
    std::uint32_t result = 0;
    const bool linked = fd && write_one(fd.get(), header) &&
                        write_one(fd.get(), LinkMessage{connection, channel, 0, 0, 0, sizeof(LinkMessage)}) &&
                        read_all(fd.get(), &header, sizeof header) && header.size >= sizeof reply &&
                        read_all(fd.get(), &reply, sizeof reply) &&
                        skip(fd.get(), header.size - sizeof reply) && reply.error == 0 &&
                        write_one(fd.get(), empty_spice_ticket(reply.key)) &&
                        read_all(fd.get(), &result, sizeof result) && result == 0;
    return linked ? std::move(fd) : UniqueFd();
}

/// The session that the main channel tells of; 0 when it does not.
std::uint32_t session_of(int fd)
{
    DataHeader header{};
    std::uint32_t session = 0;
    while (read_all(fd, &header, sizeof header)) {
        if (header.type == main_init && header.size >= sizeof session)
            return read_all(fd, &session, sizeof session) && skip(fd, header.size - sizeof session) ? session
                                                                                                    : 0;
        if (!skip(fd, header.size))
            return 0;
    }
    return 0;
}

} // namespace

std::string SpiceClient::new_socket()
{
    return std::filesystem::temp_directory_path() / ("vramlink-spice-" + std::to_string(getpid()));
}

SpiceClient::SpiceClient(const std::string &socket) : main_(open_channel(socket, main_channel, 0))
{
    const std::uint32_t session = main_ ? session_of(main_.get()) : 0;
    if (session == 0 || !write_message(main_.get(), attach_channels, 0))
        return;
    display_ = open_channel(socket, display_channel, session);
    constexpr std::int64_t cache_pixels = 1 << 20;
    constexpr std::int32_t dictionary_pixels = 1 << 20;
    if (display_ && !(write_message(display_.get(), display_init, sizeof(DisplayInit)) &&
                      write_one(display_.get(), DisplayInit{1, cache_pixels, 1, dictionary_pixels})))
        display_ = UniqueFd();
}

} // namespace vramlink::test
