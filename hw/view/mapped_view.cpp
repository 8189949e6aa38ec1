// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/view/mapped_view.hpp"

#include "vramlink/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vramlink {
namespace {

constexpr uint64_t tail_vmas = 2; // slack and guard page

/// The part of a blob's memory that a view shows: whole pages, cut at the memory's end.
struct Part {
    Part(const ExtentList &list, const BlobRange &wanted) noexcept
        : memory(list), range{page_down(wanted.first), std::min(page_up(wanted.end), list.length())},
          tail(list, range.first)
    {
        for (uint64_t bytes = 0; bytes < range.length(); ++extents)
            bytes += tail[extents].length;
    }

    /// The @p i-th extent, cut to the part.
    [[nodiscard]] Extent extent(size_t i, uint64_t at) const noexcept
    {
        Extent extent = tail[i];
        extent.length = std::min(extent.length, range.length() - at);
        return extent;
    }

    const ExtentList &memory;
    BlobRange range;
    ExtentTail tail;
    size_t extents = 0;
};

/// Maps each extent into its place.
Result<void> fill(Mapping &reservation, const Part &part)
{
    uint64_t at = 0;
    for (size_t i = 0; i < part.extents; ++i) {
        const Extent extent = part.extent(i, at);
        const Region &region = part.memory.region_of(extent);
        const uint64_t length = page_up(extent.length);
        const int code = reservation.place(at, region.fd, region.map_offset + extent.offset, length);
        if (code != 0)
            return fail(code, fmt::format("mmap of {} bytes at {:#x} of {} failed (errno {})", length,
                                          extent.offset, region.name, code));
        at += length;
    }
    if (const int code = reservation.open_zeros(at, view_slack); code != 0)
        return fail(code, fmt::format("mprotect of {} bytes failed (errno {})", view_slack, code));
    return {};
}

/// RAM stays; reading it needs no guard, which costs system calls.
bool may_go(const ExtentList &memory)
{
    const auto regions = memory.regions();
    return std::any_of(regions.begin(), regions.end(),
                       [](const auto &region) { return region->kind == RegionKind::VfioBar; });
}

} // namespace

MappedView::MappedView(Mapping reservation, BlobRange range, bool may_go, ViewCharge charge) noexcept
    : CpuView(reservation.data(), range), charge_(std::move(charge)), reservation_(std::move(reservation))
{
    if (may_go)
        guarded_.watch(reservation_.data(), page_up(range.length()));
}

Result<std::unique_ptr<CpuView>> MappedView::make(const ExtentList &memory, const BlobRange &wanted,
                                                  const ViewBudgets &budgets)
{
    const Part part(memory, wanted);
    const uint64_t bytes = page_up(part.range.length()) + view_slack + page_size();
    auto charge = budgets.take("a view", {.mappings = part.extents + tail_vmas, .address_space = bytes});
    if (!charge)
        return std::unexpected(std::move(charge.error()));
    auto reservation = Mapping::reserve(bytes);
    if (!reservation)
        return std::unexpected(std::move(reservation.error()));
    if (auto filled = fill(*reservation, part); !filled)
        return std::unexpected(std::move(filled.error()));
    return std::unique_ptr<CpuView>(
        new MappedView(std::move(*reservation), part.range, may_go(memory), std::move(*charge)));
}

void MappedView::retire() noexcept
{
    if (reservation_.place_zeros(page_up(range_.length())) == 0)
        guarded_.forget();
}

} // namespace vramlink
