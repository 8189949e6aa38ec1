// SPDX-License-Identifier: GPL-2.0-or-later
//
// DeviceCalls: what exporters, the probe and revocation ask of the kernel, behind one seam, so that a test
// can answer each errno and play each consumer.
//
// Thread: the VMM's main loop.

#ifndef VRAMLINK_DEVICE_CALLS_HPP
#define VRAMLINK_DEVICE_CALLS_HPP

#include <optional>

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
    /// How many references to the dma-buf @p fd there are, in every process and in the kernel: descriptors,
    /// messages under way, importers (Linux: drivers/dma-buf/dma-buf.c, dma_buf_show_fdinfo). 1 when only
    /// @p fd itself is left; none when that cannot be told. Allocates nothing.
    [[nodiscard]] virtual std::optional<unsigned long> references(int fd) noexcept;
};

/// Whether references() can know: /proc/self/fdinfo can be read. Tried on a descriptor of its own.
[[nodiscard]] bool can_count_references() noexcept;

/// The kernel's own.
DeviceCalls &kernel_calls();

} // namespace vramlink

#endif
