// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/export/device_calls.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace vramlink {

int DeviceCalls::ioctl(int fd, unsigned long request, void *argument)
{
    int result = 0;
    do {
        result = ::ioctl(fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int DeviceCalls::open(const char *path)
{
    const int fd = ::open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

DeviceCalls &kernel_calls()
{
    static DeviceCalls calls;
    return calls;
}

} // namespace vramlink
