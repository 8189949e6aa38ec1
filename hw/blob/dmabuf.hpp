// SPDX-License-Identifier: GPL-2.0-or-later
//
// DmaBuf: one dma-buf that was exported for a blob, what it lies in, who pays for it, and whether somebody
// else has it. Owns its descriptor.

#ifndef VRAMLINK_HW_BLOB_DMABUF_HPP
#define VRAMLINK_HW_BLOB_DMABUF_HPP

#include "hw/export/vfio_events.hpp"
#include "vramlink/budget.hpp"
#include "vramlink/device_calls.hpp"
#include "vramlink/extent.hpp"
#include "vramlink/unique_fd.hpp"

#include <cstdint>
#include <list>
#include <memory>

namespace vramlink {

/// Whether anybody but the table has a reference.
enum class Held : uint8_t {
    No,
    Yes,     ///< another process, a message under way, an importer of another process
    Unknown, ///< this process imports it too, or the kernel does not tell how many references there are
};

struct DmaBuf {
    uint32_t blob = 0;  ///< id
    uint64_t start = 0; ///< byte of the blob
    UniqueFd fd;        ///< none: the export failed
    uint64_t inode = 0;
    std::shared_ptr<const Region> bar; ///< of a VFIO device; null: it lies in RAM
    bool imported_here = false;        ///< by this process: its own references are among those counted
    Charge descriptor{}, open{}, pinned{};
    // While it lingers:
    uint64_t number = 0;    ///< in the order of their coming
    bool uncounted = false; ///< nothing will tell that nobody holds it any more

    [[nodiscard]] Held held(DeviceCalls &calls) const noexcept
    {
        if (!fd)
            return Held::No;
        const auto references = calls.references(fd.get());
        if (references && *references <= 1)
            return Held::No;
        return !references || imported_here ? Held::Unknown : Held::Yes;
    }
    /// Of a VFIO device.
    [[nodiscard]] bool in_device(int device_fd) const noexcept { return fd && bar && bar->fd == device_fd; }
    /// The kernel tells that it has revoked this one since its export. It lies in a VFIO device.
    [[nodiscard]] bool revoked_by_kernel(DeviceCalls &calls) const noexcept
    {
        const auto state = VfioEvents(calls).state(bar->fd, fd.get());
        return state && state->was_revoked();
    }
};

/// A list, so that a dma-buf moves from its blob to elsewhere without an allocation.
using DmaBufs = std::list<DmaBuf>;

/// Yes when one of them is held, Unknown when none is for certain.
[[nodiscard]] inline Held held(const DmaBufs &dmabufs, DeviceCalls &calls) noexcept
{
    Held all = Held::No;
    for (const DmaBuf &dmabuf : dmabufs) {
        const Held one = dmabuf.held(calls);
        if (one == Held::Yes)
            return one;
        all = one == Held::Unknown ? one : all;
    }
    return all;
}

} // namespace vramlink

#endif
