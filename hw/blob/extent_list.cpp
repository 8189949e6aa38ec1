// SPDX-License-Identifier: GPL-2.0-or-later

#include "vramlink/extent.hpp"

#include <algorithm>

namespace vramlink {

uint32_t ExtentList::slot_of(const std::shared_ptr<const Region> &region)
{
    const auto known = std::find(regions_.begin(), regions_.end(), region);
    if (known != regions_.end())
        return static_cast<uint32_t>(known - regions_.begin());
    regions_.push_back(region);
    return static_cast<uint32_t>(regions_.size() - 1);
}

uint32_t ExtentList::slot_at(size_t i) const noexcept
{
    if (runs_.size() == 1)
        return runs_[0].region;
    const auto next = std::upper_bound(runs_.begin(), runs_.end(), i,
                                       [](size_t at, const Run &run) { return at < run.from; });
    return std::prev(next)->region;
}

void ExtentList::move_to(RangeStorage storage)
{
    std::copy_n(begin(), size_, storage.begin());
    storage_ = std::move(storage);
}

Range *ExtentList::open_run(const std::shared_ptr<const Region> &region, size_t most)
{
    if (storage_.capacity() - size_ < most)
        move_to(RangeStorage(storage_.pool(), std::max(size_ + most, 2 * storage_.capacity())));
    if (runs_.empty() || regions_[runs_.back().region] != region)
        runs_.push_back({static_cast<uint32_t>(size_), slot_of(region)});
    return begin() + size_;
}

uint64_t ExtentList::end_of_run() const noexcept
{
    constexpr uint64_t nowhere = ~0ULL;
    if (runs_.back().from == size_)
        return nowhere;
    const Range &last = ranges().back();
    return last.offset + last.length;
}

void ExtentList::close_run(const Range *next, uint64_t length, uint64_t seams) noexcept
{
    length_ += length;
    seams_ |= seams;
    size_ = static_cast<size_t>(next - begin());
    if (runs_.back().from == size_)
        runs_.pop_back();
}

void ExtentList::shrink_to_fit()
{
    if (size_ < storage_.capacity())
        move_to(RangeStorage(nullptr, size_)); // what is left over goes to the pool
    runs_.shrink_to_fit();
}

bool ExtentList::touches(uint64_t region_id) const noexcept
{
    return std::any_of(regions_.begin(), regions_.end(),
                       [region_id](const auto &region) { return region->id == region_id; });
}

bool ExtentList::overlaps(uint64_t region_id, uint64_t first, uint64_t last) const noexcept
{
    if (!touches(region_id))
        return false;
    for (const Extent extent : extents()) {
        if (region_of(extent).id == region_id && extent.offset <= last &&
            extent.offset + (extent.length - 1) >= first)
            return true;
    }
    return false;
}

size_t ExtentList::footprint() const noexcept
{
    return RangeStorage::header_room + storage_.capacity() * sizeof(Range) + runs_.capacity() * sizeof(Run) +
           regions_.capacity() * sizeof(regions_[0]);
}

ExtentTail::ExtentTail(const ExtentList &list, uint64_t start) noexcept : list_(list), skip_(start)
{
    while (skip_ >= list.ranges()[first_].length)
        skip_ -= list.ranges()[first_++].length;
}

} // namespace vramlink
