// SPDX-License-Identifier: GPL-2.0-or-later

#include "vramlink/device_calls.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace vramlink {
namespace {

int or_errno(int result)
{
    return result < 0 ? -errno : result;
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

DeviceCalls &kernel_calls()
{
    static DeviceCalls calls;
    return calls;
}

} // namespace vramlink
