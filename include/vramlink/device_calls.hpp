// SPDX-License-Identifier: GPL-2.0-or-later
//
// DeviceCalls: the two system calls that exporters and the probe make, behind one seam, so that a test can
// answer each errno.
//
// Thread: the VMM's main loop.

#ifndef VRAMLINK_DEVICE_CALLS_HPP
#define VRAMLINK_DEVICE_CALLS_HPP

namespace vramlink {

class DeviceCalls {
  public:
    virtual ~DeviceCalls() = default;
    DeviceCalls() = default;
    DeviceCalls(const DeviceCalls &) = delete;
    DeviceCalls &operator=(const DeviceCalls &) = delete;

    /// ioctl(2), restarted when interrupted. What it returns, or -errno.
    virtual int ioctl(int fd, unsigned long request, void *argument);
    /// open(2) with O_RDWR | O_CLOEXEC. The descriptor, which the caller owns, or -errno.
    virtual int open(const char *path);
};

/// The kernel's own.
DeviceCalls &kernel_calls();

} // namespace vramlink

#endif
