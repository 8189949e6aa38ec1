// SPDX-License-Identifier: GPL-2.0-or-later
//
// MappedView: scattered extents side by side at consecutive addresses. No byte is copied.
//
// One reservation of address space (PROT_NONE, MAP_NORESERVE); each extent is mapped into its place from its
// region's fd, shared and read-only. Behind the last one, view_slack reads as zeros, then a guard page. One
// VMA an extent, one for the slack and one for the guard page are paid for, and all of the reservation.

#ifndef VRAMLINK_HW_VIEW_MAPPED_VIEW_HPP
#define VRAMLINK_HW_VIEW_MAPPED_VIEW_HPP

#include "hw/view/bus_guard.hpp"
#include "hw/view/cpu_view.hpp"
#include "hw/view/mapping.hpp"
#include "hw/view/view_budgets.hpp"
#include "vramlink/error.hpp"
#include "vramlink/extent.hpp"

#include <memory>

namespace vramlink {

class MappedView final : public CpuView {
  public:
    /// The pages that @p wanted, a part of @p memory and not empty, lies in. Every region has an fd, every
    /// extent starts at a page of it and, but for the last one, ends at one (choose_plan() has checked). The
    /// error names what was refused: ENOSPC for a budget, else the errno of mmap(). Nothing stays mapped
    /// then.
    static Result<std::unique_ptr<CpuView>> make(const ExtentList &memory, const BlobRange &wanted,
                                                 const ViewBudgets &budgets);

    [[nodiscard]] bool lost() const noexcept override { return guarded_.lost(); }
    /// Zeros take the place of the blob's memory. Where the kernel refuses even that, VRAM that has gone is
    /// read inside a guard as before.
    void retire() noexcept override;

  private:
    MappedView(Mapping reservation, BlobRange range, bool may_go, ViewCharge charge) noexcept;

    ViewCharge charge_; // given back after the reservation is unmapped: members die from last to first
    Mapping reservation_;
    GuardedRange guarded_; ///< the extents, where one of them lies in a VFIO device's memory
};

} // namespace vramlink

#endif
