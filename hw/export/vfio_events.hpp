// SPDX-License-Identifier: GPL-2.0-or-later
//
// VfioEvents: what the kernel tells about revocations, where its VFIO driver does (vfio-pci-vram;
// kernel/vfio-pci-vram/uapi.h). Mainline's vfio-pci tells nothing and answers ENOTTY.
//
// No call waits for a revocation that is under way, and none allocates. Errors are an errno.

#ifndef VRAMLINK_HW_EXPORT_VFIO_EVENTS_HPP
#define VRAMLINK_HW_EXPORT_VFIO_EVENTS_HPP

#include "vramlink/device_calls.hpp"

#include <cstdint>
#include <expected>

namespace vramlink {

/// Of one dma-buf.
struct DmaBufState {
    bool live;           ///< importers may map it now
    uint64_t generation; ///< 0 at the export; +1 at each revocation and at each return

    /// What was in the memory is lost. One that was exported while the device's memory was off is not
    /// revoked by that: its first change is the arrival.
    [[nodiscard]] bool was_revoked() const noexcept
    {
        const bool born_live = live == (generation % 2 == 0);
        return born_live ? generation > 0 : generation > 1;
    }
};

class VfioEvents {
  public:
    explicit VfioEvents(DeviceCalls &calls) noexcept : calls_(calls) {}

    /// The eventfd @p event is signalled from now on whenever dma-bufs of the device are revoked or return,
    /// until the device is closed; when they are revoked, before the kernel waits for their importers. The
    /// kernel keeps a reference of its own. ENOTTY: this driver does not tell.
    [[nodiscard]] std::expected<void, int> listen(int device_fd, int event) noexcept;
    /// EINVAL: it is no dma-buf of this device.
    [[nodiscard]] std::expected<DmaBufState, int> state(int device_fd, int dmabuf) noexcept;

  private:
    DeviceCalls &calls_;
};

} // namespace vramlink

#endif
