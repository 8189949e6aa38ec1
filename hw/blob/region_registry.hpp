// SPDX-License-Identifier: GPL-2.0-or-later
//
// RegionRegistry: one Region object per region id, shared by all blobs of a table that lie in it.
//
// A region lives as long as a blob holds it; the registry only remembers where it is.

#ifndef VRAMLINK_HW_BLOB_REGION_REGISTRY_HPP
#define VRAMLINK_HW_BLOB_REGION_REGISTRY_HPP

#include "hw/blob/refusal.hpp"
#include "vramlink/blob_table.h"
#include "vramlink/extent.hpp"

#include <cstdint>
#include <memory>
#include <unordered_map>

namespace vramlink {

class RegionRegistry {
  public:
    /// The Region for @p region. Refuses (as Rejected) one that is not readable: no fd and no host pointer
    /// where its kind needs one; and one whose numbers make no sense (id 0, map_offset + size past 64 bits).
    Answer<std::shared_ptr<const Region>> intern(const vrl_region &region);
    /// True while some blob holds the region.
    [[nodiscard]] bool in_use(uint64_t id) const noexcept;

  private:
    void drop_unused();

    std::unordered_map<uint64_t, std::weak_ptr<const Region>> regions_;
};

} // namespace vramlink

#endif
