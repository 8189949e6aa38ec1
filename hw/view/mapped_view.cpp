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

/// Maps each extent into its place.
Result<void> fill(Mapping &reservation, const ExtentList &memory)
{
    uint64_t at = 0;
    for (const Extent extent : memory.extents()) {
        const Region &region = memory.region_of(extent);
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

} // namespace

MappedView::MappedView(Mapping reservation, uint64_t guarded, Charge charge) noexcept
    : CpuView(reservation.data()), charge_(std::move(charge)), reservation_(std::move(reservation))
{
    if (guarded > 0)
        range_.watch(reservation_.data(), guarded);
}

Result<std::unique_ptr<CpuView>> MappedView::make(const ExtentList &memory, Budget &maps)
{
    const uint64_t vmas = memory.extents().size() + tail_vmas;
    std::optional<Charge> charge = maps.take(vmas);
    if (!charge)
        return fail(ENOSPC, fmt::format("a view of {} mappings is {}", vmas, maps.over()));
    auto reservation = Mapping::reserve(page_up(memory.length()) + view_slack + page_size());
    if (!reservation)
        return std::unexpected(std::move(reservation.error()));
    if (auto filled = fill(*reservation, memory); !filled)
        return std::unexpected(std::move(filled.error()));
    // RAM stays; reading it needs no guard, which costs system calls.
    const auto regions = memory.regions();
    const bool may_go = std::any_of(regions.begin(), regions.end(),
                                    [](const auto &region) { return region->kind == RegionKind::VfioBar; });
    return std::unique_ptr<CpuView>(
        new MappedView(std::move(*reservation), may_go ? page_up(memory.length()) : 0, std::move(*charge)));
}

} // namespace vramlink
