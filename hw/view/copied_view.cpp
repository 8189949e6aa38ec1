// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/view/copied_view.hpp"

#include "hw/view/stream_copy.hpp"
#include "vramlink/page.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace vramlink {
namespace {

/// Extents between the one that is copied and the one that is fetched. One is too late where a page's walk
/// through the tables takes as long as its copy.
constexpr size_t fetched_ahead = 2;

/// pread() of all of it. False when the memory does not answer.
bool read_fully(int fd, std::byte *to, uint64_t length, uint64_t offset) noexcept
{
    while (length > 0) {
        const ssize_t got = ::pread(fd, to, length, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        offset += static_cast<uint64_t>(got);
        length -= static_cast<uint64_t>(got);
    }
    return true;
}

} // namespace

CopiedView::CopiedView(const ExtentList &memory, BlobRange range, ViewCharge charge, Mapping shadow)
    : CpuView(shadow.data(), range), memory_(memory), charge_(std::move(charge)), shadow_(std::move(shadow))
{
    uint64_t start = 0;
    for (const Extent extent : memory.extents()) {
        const uint64_t end = start + extent.length;
        if (end <= range.first)
            ++first_extent_;
        else if (start < range.end)
            starts_.push_back(start);
        start = end;
    }
}

/// The stretch of the region at @p slot that the view touches, in bytes of the region; empty when none.
BlobRange CopiedView::touched(uint32_t slot) const noexcept
{
    BlobRange all{std::numeric_limits<uint64_t>::max(), 0};
    for (size_t i = 0; i < starts_.size(); ++i) {
        const Extent extent = memory_.extents()[first_extent_ + i];
        if (extent.region != slot)
            continue;
        const uint64_t skip = range_.first - std::min(range_.first, starts_[i]);
        const uint64_t length = std::min(extent.length, range_.end - starts_[i]);
        all.first = std::min(all.first, extent.offset + skip);
        all.end = std::max(all.end, extent.offset + length);
    }
    return all.end != 0 ? all : BlobRange();
}

CopiedView::Source CopiedView::open_source(uint32_t slot, const ViewBudgets &budgets) const
{
    const Region &region = *memory_.regions()[slot];
    Source source;
    source.fd = region.fd;
    source.file_offset = region.map_offset;
    if (region.host != nullptr) {
        source.first = region.host;
        return source;
    }
    const BlobRange part = touched(slot);
    const uint64_t begin = page_down(region.map_offset + part.first);
    const uint64_t end = page_up(region.map_offset + part.end);
    if (part.length() == 0)
        return source;
    auto charge = budgets.take("a window", {.mappings = 1, .address_space = end - begin});
    if (!charge)
        return source;
    auto window = Mapping::of_file(region.fd, begin, end - begin);
    if (!window)
        return source;
    source.charge = std::move(*charge);
    source.window = std::move(*window);
    source.range = std::make_unique<GuardedRange>();
    source.range->watch(source.window.data(), end - begin);
    source.first = source.window.data() + (region.map_offset + part.first - begin);
    source.origin = part.first;
    return source;
}

Result<std::unique_ptr<CpuView>> CopiedView::make(const ExtentList &memory, const BlobRange &range,
                                                  const ViewBudgets &budgets)
{
    const uint64_t shadow_bytes = page_up(range.length());
    auto charge = budgets.take(
        "a copy", {.mappings = 1, .address_space = shadow_bytes + view_slack, .host_memory = shadow_bytes});
    if (!charge)
        return std::unexpected(std::move(charge.error()));
    auto shadow = Mapping::zeroed(shadow_bytes + view_slack);
    if (!shadow)
        return std::unexpected(std::move(shadow.error()));
    std::unique_ptr<CopiedView> view(new CopiedView(memory, range, std::move(*charge), std::move(*shadow)));
    view->sources_.reserve(memory.regions().size());
    for (uint32_t slot = 0; slot < memory.regions().size(); ++slot)
        view->sources_.push_back(view->open_source(slot, budgets));
    return view;
}

/// Of starts_.
size_t CopiedView::extent_at(uint64_t offset) const noexcept
{
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
    return static_cast<size_t>(next - starts_.begin()) - 1;
}

const std::byte *CopiedView::address_of(const Extent &extent, uint64_t skip) const noexcept
{
    const Source &source = sources_[extent.region];
    return source.first != nullptr ? source.first + (extent.offset + skip - source.origin) : nullptr;
}

bool CopiedView::read(const Part &part, bool stream) noexcept
{
    const Extent extent = memory_.extents()[part.extent];
    const std::byte *from = address_of(extent, part.skip);
    const Source &source = sources_[extent.region];
    if (from == nullptr) {
        const bool answered =
            read_fully(source.fd, part.to, part.length, source.file_offset + extent.offset + part.skip);
        if (!answered && !std::exchange(unreadable_, true))
            BusGuard::count_loss();
        return answered;
    }
    if (!stream) {
        std::memcpy(part.to, from, part.length);
        return true;
    }
    const size_t soon = part.extent + fetched_ahead;
    stream_copy(part.to, from, part.length,
                soon < first_extent_ + starts_.size() ? address_of(memory_.extents()[soon], 0) : nullptr);
    return true;
}

uint64_t CopiedView::gather(uint64_t offset, uint64_t length) noexcept
{
    const uint64_t end = length < range_.end - std::min(range_.end, offset) ? offset + length : range_.end;
    offset = std::max(offset, range_.first);
    if (offset >= end)
        return 0;
    length = end - offset;
    const BusGuard guard;
    const bool stream = length >= stream_copy_from;
    uint64_t copied = 0;
    for (size_t i = extent_at(offset); length > 0; ++i) {
        const uint64_t skip = offset - starts_[i];
        const size_t extent = first_extent_ + i;
        const Part part{extent, skip, at(offset), std::min(length, memory_.extents()[extent].length - skip)};
        if (read(part, stream))
            copied += part.length;
        offset += part.length;
        length -= part.length;
    }
    if (stream)
        stream_copy_end();
    return lost() ? 0 : copied;
}

bool CopiedView::lost() const noexcept
{
    return unreadable_ || std::any_of(sources_.begin(), sources_.end(), [](const Source &source) {
               return source.range && source.range->lost();
           });
}

} // namespace vramlink
