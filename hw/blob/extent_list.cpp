// SPDX-License-Identifier: GPL-2.0-or-later

#include "vramlink/extent.hpp"

#include <algorithm>

namespace vramlink {

uint32_t ExtentList::slot_of(const std::shared_ptr<const Region> &region)
{
    // Almost always the region of the extent before; else one of a handful.
    if (!extents_.empty() && regions_[extents_.back().region] == region)
        return extents_.back().region;
    const auto known = std::find(regions_.begin(), regions_.end(), region);
    if (known != regions_.end())
        return static_cast<uint32_t>(known - regions_.begin());
    regions_.push_back(region);
    return static_cast<uint32_t>(regions_.size() - 1);
}

void ExtentList::append(const std::shared_ptr<const Region> &region, uint64_t offset, uint64_t length)
{
    const uint32_t slot = slot_of(region);
    if (!extents_.empty()) {
        Extent &last = extents_.back();
        if (last.region == slot && last.offset + last.length == offset) {
            last.length += length;
            length_ += length;
            return;
        }
    }
    extents_.push_back({offset, length, slot});
    length_ += length;
}

bool ExtentList::touches(uint64_t region_id) const noexcept
{
    return std::any_of(regions_.begin(), regions_.end(),
                       [region_id](const auto &region) { return region->id == region_id; });
}

ExtentTail ExtentList::tail(uint64_t start) const noexcept
{
    size_t first = 0;
    while (start >= extents_[first].length)
        start -= extents_[first++].length;
    return {std::span(extents_).subspan(first), start};
}

} // namespace vramlink
