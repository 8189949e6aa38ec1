// SPDX-License-Identifier: GPL-2.0-or-later

#include "vramlink/device_calls.hpp"

#include "vramlink/unique_fd.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace vramlink {
namespace {

int or_errno(int result)
{
    return result < 0 ? -errno : result;
}

using Info = std::array<char, 1024>;

/// What the kernel tells about a descriptor of this process; ends in a 0.
bool read_info(int fd, Info &text) noexcept
{
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fdinfo/%d", fd);
    const UniqueFd info(::open(path.data(), O_RDONLY | O_CLOEXEC));
    return info && ::read(info.get(), text.data(), text.size() - 1) > 0;
}

} // namespace

int DeviceCalls::ioctl(int fd, unsigned long request, void *argument)
{
    int result = 0;
    do {
        result = ::ioctl(fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return or_errno(result);
}

int DeviceCalls::open(const char *path)
{
    return or_errno(::open(path, O_RDWR | O_CLOEXEC));
}

std::optional<unsigned long> DeviceCalls::references(int fd) noexcept
{
    constexpr const char *label = "\ncount:";
    Info text{};
    if (!read_info(fd, text))
        return std::nullopt;
    const char *count = std::strstr(text.data(), label);
    if (count == nullptr)
        return std::nullopt;
    return std::strtoul(count + std::strlen(label), nullptr, 10);
}

bool can_count_references() noexcept
{
    const UniqueFd own(::memfd_create("vramlink", MFD_CLOEXEC));
    Info text{};
    return read_info(own.get(), text);
}

DeviceCalls &kernel_calls()
{
    static DeviceCalls calls;
    return calls;
}

} // namespace vramlink
