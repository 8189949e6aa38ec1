// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/rfb.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

namespace vramlink::test {

namespace {

constexpr std::int32_t raw_encoding = 0;
constexpr std::int32_t desktop_size = -223;
constexpr std::int32_t extended_desktop_size = -308; ///< what set_desktop_size() is answered with

/// 32 bits a pixel, XRGB8888 in little-endian order (RFC 6143, 7.4).
constexpr std::array<std::uint8_t, 20> set_pixel_format{0, 0,   0, 0,   32, 24, 0, 1, 0, 255,
                                                        0, 255, 0, 255, 16, 8,  0, 0, 0, 0};
constexpr std::array<std::uint8_t, 12> set_encodings{2, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x21};

enum ServerMessage : std::uint8_t { framebuffer_update = 0, bell = 2 };

} // namespace

std::string Rfb::new_socket()
{
    static int number = 0;
    return std::filesystem::temp_directory_path() /
           ("vramlink-vnc-" + std::to_string(getpid()) + "-" + std::to_string(number++));
}

Rfb::Rfb(const std::string &socket)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.copy(address.sun_path, sizeof address.sun_path - 1);
    fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
        !shake_hands())
        fd_ = UniqueFd();
}

Rfb::Rfb(UniqueFd server) : fd_(std::move(server))
{
    if (!fd_ || !shake_hands())
        fd_ = UniqueFd();
}

void Rfb::set_desktop_size(std::uint16_t width, std::uint16_t height)
{
    constexpr std::uint8_t message = 251, screens = 1;
    const std::array<std::uint8_t, 4> size{
        static_cast<std::uint8_t>(width >> 8), static_cast<std::uint8_t>(width & 0xff),
        static_cast<std::uint8_t>(height >> 8), static_cast<std::uint8_t>(height & 0xff)};
    std::array<std::uint8_t, 24> words{message, 0, size[0], size[1], size[2], size[3], screens, 0};
    constexpr std::size_t size_of_screen = 16; // after its number and place
    std::ranges::copy(size, words.begin() + size_of_screen);
    write(words.data(), words.size());
}

void Rfb::offend()
{
    constexpr std::uint8_t unknown = 0xee;
    write(&unknown, 1);
}

bool Rfb::read(void *to, std::size_t size)
{
    constexpr int limit_ms = 10'000;
    auto *bytes = static_cast<std::uint8_t *>(to);
    while (size > 0) {
        pollfd ready{fd_.get(), POLLIN, 0};
        if (poll(&ready, 1, patience(limit_ms)) != 1)
            return false;
        const ssize_t got = ::read(fd_.get(), bytes, size);
        if (got <= 0)
            return false;
        bytes += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

/// Numbers are big-endian.
template <class T> bool Rfb::read_number(T &number)
{
    std::array<std::uint8_t, sizeof(T)> bytes{};
    if (!read(bytes.data(), bytes.size()))
        return false;
    std::reverse(bytes.begin(), bytes.end());
    number = std::bit_cast<T>(bytes);
    return true;
}

void Rfb::write(const void *from, std::size_t size)
{
    // Short messages; a failure shows when reading.
    if (send(fd_.get(), from, size, MSG_NOSIGNAL) < 0 && errno == ENOTSOCK)
        (void)!::write(fd_.get(), from, size);
}

bool Rfb::shake_hands()
{
    constexpr std::string_view version = "RFB 003.008\n";
    constexpr std::uint8_t no_authentication = 1, shared = 1;
    constexpr std::size_t pixel_format = 16;
    std::array<char, version.size()> theirs{};
    std::uint8_t types = 0;
    std::uint32_t result = 0, name = 0;
    std::uint16_t width = 0, height = 0;
    std::array<std::uint8_t, 256> skipped{};
    if (!read(theirs.data(), theirs.size()))
        return false;
    write(version.data(), version.size());
    if (!read_number(types) || !read(skipped.data(), types))
        return false;
    write(&no_authentication, 1);
    if (!read_number(result) || result != 0)
        return false;
    write(&shared, 1);
    if (!read_number(width) || !read_number(height) || !read(skipped.data(), pixel_format) ||
        !read_number(name) || name > skipped.size() || !read(skipped.data(), name))
        return false;
    resize(width, height);
    write(set_pixel_format.data(), set_pixel_format.size());
    write(set_encodings.data(), set_encodings.size());
    return true;
}

void Rfb::resize(std::uint32_t width, std::uint32_t height)
{
    picture_ = Picture{width, height, std::vector<std::uint32_t>(std::size_t{width} * height)};
}

void Rfb::hang_up()
{
    (void)shutdown(fd_.get(), SHUT_RDWR);
}

void Rfb::request(bool incremental)
{
    const auto high = [](std::uint32_t n) { return static_cast<std::uint8_t>(n >> 8); };
    const auto low = [](std::uint32_t n) { return static_cast<std::uint8_t>(n); };
    const std::array<std::uint8_t, 10> bytes{3,
                                             static_cast<std::uint8_t>(incremental),
                                             0,
                                             0,
                                             0,
                                             0,
                                             high(picture_.width),
                                             low(picture_.width),
                                             high(picture_.height),
                                             low(picture_.height)};
    write(bytes.data(), bytes.size());
}

bool Rfb::rectangle()
{
    std::uint16_t x = 0, y = 0, width = 0, height = 0;
    std::int32_t encoding = 0;
    if (!read_number(x) || !read_number(y) || !read_number(width) || !read_number(height) ||
        !read_number(encoding))
        return false;
    if (encoding == extended_desktop_size) {
        constexpr std::size_t size_of_screen = 16;
        std::array<std::uint8_t, 3> padding{};
        std::array<std::uint8_t, 256 * size_of_screen> screens{};
        std::uint8_t count = 0;
        return read_number(count) && read(padding.data(), padding.size()) &&
               read(screens.data(), count * size_of_screen);
    }
    if (encoding == desktop_size) {
        resize(width, height);
        return true;
    }
    if (encoding != raw_encoding || x + width > static_cast<int>(picture_.width) ||
        y + height > static_cast<int>(picture_.height))
        return false;
    std::vector<std::uint32_t> row(width);
    for (std::uint32_t i = 0; i < height; i++) {
        if (!read(row.data(), row.size() * sizeof row[0]))
            return false;
        std::transform(row.begin(), row.end(),
                       picture_.pixels.begin() +
                           static_cast<std::ptrdiff_t>((y + i) * std::size_t{picture_.width} + x),
                       [](std::uint32_t pixel) { return pixel & 0xffffff; });
    }
    return true;
}

bool Rfb::update()
{
    std::uint8_t type = 0, padding = 0;
    std::uint16_t rectangles = 0;
    do {
        if (!read_number(type))
            return false;
    } while (type == bell);
    if (type != framebuffer_update || !read_number(padding) || !read_number(rectangles))
        return false;
    for (; rectangles > 0; rectangles--) {
        if (!rectangle())
            return false;
    }
    return true;
}

} // namespace vramlink::test
