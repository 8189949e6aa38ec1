// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/common/qmp.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace vramlink {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr size_t longest_line = size_t{8} << 20; // the statistics of many blobs come in one line

Result<UniqueFd> connect_unix(const std::string &path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path))
        return fail(ENAMETOOLONG, fmt::format("socket path of {} bytes: at most {}", path.size(),
                                              sizeof(address.sun_path) - 1));
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || connect(socket.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) < 0) {
        const int code = errno;
        return fail(code, fmt::format("cannot connect to {}: {}", path, std::strerror(code)));
    }
    return socket;
}

Result<json> object_of(const Result<std::string> &line)
{
    if (!line)
        return std::unexpected(line.error());
    auto message = json::parse(*line, nullptr, false);
    if (!message.is_object())
        return fail(EPROTO, "a line on the QMP socket is not a JSON object");
    return message;
}

std::string words_of(const json &error)
{
    const auto words = error.is_object() ? error.find("desc") : error.end();
    return error.is_object() && words != error.end() && words->is_string() ? words->get<std::string>()
                                                                           : error.dump();
}

} // namespace

Result<Qmp> Qmp::connect(const std::string &path, std::chrono::milliseconds limit)
{
    auto socket = connect_unix(path);
    if (!socket)
        return std::unexpected(socket.error());
    Qmp qmp(std::move(*socket), Clock::now() + limit);
    const auto greeting = object_of(qmp.read_line());
    if (!greeting)
        return std::unexpected(greeting.error());
    if (!greeting->contains("QMP"))
        return fail(EPROTO, "the other side of the socket does not speak QMP");
    if (const auto ready = qmp.command("qmp_capabilities"); !ready)
        return std::unexpected(ready.error());
    return qmp;
}

Result<std::string> Qmp::command(const std::string &name, const std::string &arguments, int fd)
{
    const json request{{"execute", name}, {"arguments", json::parse(arguments)}};
    if (const auto sent = send(request.dump() + "\n", fd); !sent)
        return std::unexpected(sent.error());
    for (;;) {
        const auto answer = object_of(read_line());
        if (!answer)
            return std::unexpected(answer.error());
        if (const auto result = answer->find("return"); result != answer->end())
            return result->dump();
        if (const auto error = answer->find("error"); error != answer->end())
            return fail(EPROTO, fmt::format("QEMU refuses {}: {}", name, words_of(*error)));
    }
}

Result<void> Qmp::send(const std::string &text, int fd)
{
    iovec part{const_cast<char *>(text.data()), text.size()}; // sendmsg only reads it
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (fd >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    }
    const ssize_t sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (sent < 0) {
        const int code = errno;
        return fail(code, fmt::format("writing to the QMP socket: {}", std::strerror(code)));
    }
    // A request is a few hundred bytes on a fresh socket: it goes in one piece or something is very
    // wrong.
    if (static_cast<size_t>(sent) != text.size())
        return fail(EPROTO, fmt::format("the QMP socket took {} of {} bytes", sent, text.size()));
    return {};
}

Result<std::string> Qmp::read_line()
{
    size_t end = 0;
    while ((end = buffer_.find('\n')) == std::string::npos) {
        if (const auto more = fill(); !more)
            return std::unexpected(more.error());
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return line;
}

Result<void> Qmp::fill()
{
    if (buffer_.size() > longest_line)
        return fail(EPROTO, fmt::format("a line on the QMP socket is longer than {} bytes", longest_line));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    pollfd waiting{socket_.get(), POLLIN, 0};
    const int ready = left > 0 ? poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (ready == 0)
        return fail(ETIMEDOUT, "QEMU does not answer on its QMP socket (is another client connected to it?)");
    std::array<char, 4096> chunk{};
    const ssize_t got = ready < 0 ? -1 : read(socket_.get(), chunk.data(), chunk.size());
    if (got < 0 && errno != EINTR) {
        const int code = errno;
        return fail(code, fmt::format("reading from the QMP socket: {}", std::strerror(code)));
    }
    if (got == 0)
        return fail(ECONNRESET, "QEMU closed the QMP socket");
    if (got > 0)
        buffer_.append(chunk.data(), static_cast<size_t>(got));
    return {};
}

} // namespace vramlink
