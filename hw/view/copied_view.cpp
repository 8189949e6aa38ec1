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

struct Span {
    uint64_t begin = std::numeric_limits<uint64_t>::max();
    uint64_t end = 0;
};

/// The stretch of the region at @p slot that the blob touches, in bytes of the region.
Span touched(const ExtentList &memory, uint32_t slot)
{
    Span span;
    for (const Extent extent : memory.extents()) {
        if (extent.region != slot)
            continue;
        span.begin = std::min(span.begin, extent.offset);
        span.end = std::max(span.end, extent.offset + extent.length);
    }
    return span;
}

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

CopiedView::CopiedView(const ExtentList &memory, uint64_t size, Charge charge, Mapping shadow)
    : CpuView(shadow.data()), memory_(memory), size_(size), charge_(std::move(charge)),
      shadow_(std::move(shadow))
{
    starts_.reserve(memory.extents().size());
    uint64_t start = 0;
    for (const Extent extent : memory.extents()) {
        starts_.push_back(start);
        start += extent.length;
    }
}

CopiedView::Source CopiedView::open_source(const ExtentList &memory, uint32_t slot, Budget &maps)
{
    const Region &region = *memory.regions()[slot];
    Source source;
    source.fd = region.fd;
    source.file_offset = region.map_offset;
    if (region.host != nullptr) {
        source.first = region.host;
        return source;
    }
    std::optional<Charge> charge = maps.take(1);
    if (!charge)
        return source;
    const Span span = touched(memory, slot);
    const uint64_t begin = page_down(region.map_offset + span.begin);
    const uint64_t end = page_up(region.map_offset + span.end);
    auto window = Mapping::of_file(region.fd, begin, end - begin);
    if (!window)
        return source;
    source.charge = std::move(*charge);
    source.window = std::move(*window);
    source.range = std::make_unique<GuardedRange>();
    source.range->watch(source.window.data(), end - begin);
    source.first = source.window.data() + (region.map_offset + span.begin - begin);
    source.origin = span.begin;
    return source;
}

Result<std::unique_ptr<CpuView>> CopiedView::make(const ExtentList &memory, uint64_t size, Charge charge,
                                                  Budget &maps)
{
    auto shadow = Mapping::zeroed(page_up(size) + view_slack);
    if (!shadow)
        return std::unexpected(std::move(shadow.error()));
    std::unique_ptr<CopiedView> view(new CopiedView(memory, size, std::move(charge), std::move(*shadow)));
    view->sources_.reserve(memory.regions().size());
    for (uint32_t slot = 0; slot < memory.regions().size(); ++slot)
        view->sources_.push_back(open_source(memory, slot, maps));
    return view;
}

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
                soon < memory_.extents().size() ? address_of(memory_.extents()[soon], 0) : nullptr);
    return true;
}

uint64_t CopiedView::gather(uint64_t offset, uint64_t length) noexcept
{
    if (offset >= size_)
        return 0;
    length = std::min(length, size_ - offset);
    const BusGuard guard;
    const bool stream = length >= stream_copy_from;
    uint64_t copied = 0;
    for (size_t i = extent_at(offset); length > 0; ++i) {
        const uint64_t skip = offset - starts_[i];
        const Part part{i, skip, data_ + offset, std::min(length, memory_.extents()[i].length - skip)};
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
