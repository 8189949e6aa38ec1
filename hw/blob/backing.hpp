// SPDX-License-Identifier: GPL-2.0-or-later
//
// Backing: the memory of a blob and what was made of it: its dma-bufs and its CPU views.
//
// It owns both. Destroying it closes dma-bufs first, then unmaps the views; consumers have let go before
// (Blob does that). It refers to its own memory, so it does not move.

#ifndef VRAMLINK_HW_BLOB_BACKING_HPP
#define VRAMLINK_HW_BLOB_BACKING_HPP

#include "hw/blob/dmabuf.hpp"
#include "hw/blob/facts.hpp"
#include "hw/blob/plan.hpp"
#include "hw/blob/refusal.hpp"
#include "hw/blob/resources.hpp"
#include "hw/view/cpu_view.hpp"
#include "vramlink/budget.hpp"
#include "vramlink/error.hpp"
#include "vramlink/extent.hpp"
#include "vramlink/unique_fd.hpp"

#include <cstdint>
#include <expected>
#include <list>
#include <memory>
#include <string>

namespace vramlink {

class Backing {
  public:
    /// Dma-bufs that start inside the blob; scanouts of one device are 16 at most.
    static constexpr size_t max_slices = 16;

    /// Chooses the plan, exports the whole blob where the plan says so, and writes ranges, plan, reason and
    /// region to @p facts. Refuses (OUT_OF_MEMORY) over the budget of extents.
    static Answer<std::unique_ptr<Backing>> make(ExtentList memory, uint64_t size, Resources &resources,
                                                 Facts &facts);
    Backing(const Backing &) = delete;
    Backing &operator=(const Backing &) = delete;
    ~Backing() { resources_.vfio_backings -= in_vfio_ ? 1 : 0; }

    [[nodiscard]] const ExtentList &memory() const noexcept { return memory_; }
    /// A part of it at least is a VFIO device's.
    [[nodiscard]] bool in_vfio() const noexcept { return in_vfio_; }

    /// The dma-buf from byte @p start (less than the blob's size) on; borrowed, -1 when there is none. What
    /// cannot be exported is not tried again.
    int dmabuf(uint64_t start, Facts &facts);

    /// Nobody can use the dma-bufs: gives them back, and makes none any more. Consumers have let go.
    void unshare(const std::string &why, Facts &facts);
    /// The guest takes its memory back: dma-bufs that somebody may hold linger, the others are closed.
    void give_dmabufs_back() noexcept;
    /// A reference to one of the dma-bufs may be this process' own from now on.
    void imported_here() noexcept;

    [[nodiscard]] const DmaBufs &dmabufs() const noexcept { return dmabufs_; }
    /// There is one now.
    [[nodiscard]] bool has_dmabuf() const noexcept;
    /// The kernel tells that it has revoked one of them since its export (VfioEvents).
    [[nodiscard]] bool revoked_by_kernel(int device_fd) const noexcept;

    /// A view that has @p wanted, bytes of the blob and not empty; borrowed. Made when there is none; the
    /// last of VRL_MAX_VIEWS is of the whole blob.
    Result<CpuView *> view(const BlobRange &wanted, Facts &facts);
    /// The view if it was made; null otherwise.
    [[nodiscard]] CpuView *existing_view(const BlobRange &wanted) const noexcept;
    /// Brings the stretch up to date in each copy that has a part of it. Returns how many bytes were copied.
    uint64_t gather(uint64_t offset, uint64_t length) noexcept;
    [[nodiscard]] bool has_copy() const noexcept;
    /// What one of them shows is not the blob any more.
    [[nodiscard]] bool has_lost_view() const noexcept;

    using Views = std::list<std::unique_ptr<CpuView>>;
    /// Moves the views, which somebody still reads, to @p to; they do not need the backing any more.
    void retire_views(Views &to) noexcept;

  private:
    Backing(ExtentList &&memory, uint64_t size, Resources &resources) noexcept
        : memory_(std::move(memory)), size_(size), resources_(resources)
    {
        for (const auto &region : memory_.regions())
            in_vfio_ |= region->kind == RegionKind::VfioBar;
        resources_.vfio_backings += in_vfio_ ? 1 : 0;
    }
    void plan_and_share(Facts &facts);
    Answer<void> pay();
    Result<void> probe(int dmabuf);
    Result<UniqueFd> export_from(uint64_t start);
    int add_dmabuf(uint64_t start, Facts &facts, std::string &reason);
    std::expected<Charge, std::string> pin(uint64_t start);
    Result<std::unique_ptr<CpuView>> make_view(const BlobRange &wanted, Facts &facts);

    ExtentList memory_;
    uint64_t size_; ///< of the blob, bytes
    Resources &resources_;
    PlanChoice choice_;
    Charge extents_charge_;
    Views views_;
    DmaBufs dmabufs_; ///< behind views_, so that they die first
    bool shared_ = false;
    bool imported_here_ = false;
    bool in_vfio_ = false;
};

} // namespace vramlink

#endif
