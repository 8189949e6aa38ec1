// SPDX-License-Identifier: GPL-2.0-or-later
//
// CopiedView: the last resort, a shadow buffer that damaged rows are gathered into.
//
// For memory that cannot be mapped side by side: pieces that are not page aligned, private RAM, or more
// pieces than the map budget has left. Sources, per region: the VMM's own mapping; else one mapping of the
// stretch that the view touches; else pread() from the region's fd.

#ifndef VRAMLINK_HW_VIEW_COPIED_VIEW_HPP
#define VRAMLINK_HW_VIEW_COPIED_VIEW_HPP

#include "hw/view/bus_guard.hpp"
#include "hw/view/cpu_view.hpp"
#include "hw/view/mapping.hpp"
#include "hw/view/view_budgets.hpp"
#include "vramlink/error.hpp"
#include "vramlink/extent.hpp"

#include <memory>
#include <vector>

namespace vramlink {

class CopiedView final : public CpuView {
  public:
    /// A zeroed shadow of @p range, a part of @p memory and not empty; the caller gathers what it wants to
    /// see. Borrows @p memory until it retires. ENOSPC for a budget, else the errno of mmap().
    static Result<std::unique_ptr<CpuView>> make(const ExtentList &memory, const BlobRange &range,
                                                 const ViewBudgets &budgets);

    [[nodiscard]] bool is_copy() const noexcept override { return true; }
    uint64_t gather(uint64_t offset, uint64_t length) noexcept override;
    [[nodiscard]] bool lost() const noexcept override;
    /// It shows what it has.
    void retire() noexcept override { sources_.clear(); }

  private:
    /// Where the bytes of one region are read: base + offset where base is set, else pread.
    struct Source {
        ViewCharge charge;
        Mapping window;
        std::unique_ptr<GuardedRange> range; ///< of the window
        const std::byte *first = nullptr;    ///< the byte at offset `origin` of the region
        uint64_t origin = 0;
        int fd = -1;
        uint64_t file_offset = 0; ///< of the region's first byte
    };

    CopiedView(const ExtentList &memory, BlobRange range, ViewCharge charge, Mapping shadow);
    [[nodiscard]] Source open_source(uint32_t slot, const ViewBudgets &budgets) const;
    [[nodiscard]] BlobRange touched(uint32_t slot) const noexcept;
    [[nodiscard]] size_t extent_at(uint64_t offset) const noexcept;
    /// A stretch of one extent on its way into the shadow.
    struct Part {
        size_t extent;
        uint64_t skip; ///< bytes of the extent before it
        std::byte *to;
        uint64_t length;
    };
    /// Where the extent's byte @p skip can be read; null when only pread() reaches it.
    [[nodiscard]] const std::byte *address_of(const Extent &extent, uint64_t skip) const noexcept;
    /// False when the memory does not answer. @p stream: past the caches.
    bool read(const Part &part, bool stream) noexcept;

    const ExtentList &memory_;
    ViewCharge charge_;
    Mapping shadow_;
    size_t first_extent_ = 0;      ///< that the view has a part of
    std::vector<uint64_t> starts_; ///< byte of the blob where each extent begins, from that one on
    std::vector<Source> sources_;  ///< one per region of memory_
    bool unreadable_ = false;      ///< pread() was refused
};

} // namespace vramlink

#endif
