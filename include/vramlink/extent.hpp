// SPDX-License-Identifier: GPL-2.0-or-later
//
// The memory behind a blob, as the heart, the exporters and the views speak of it.
//
//   Region      a stretch of host memory that guest addresses translate to: a BAR, a memfd, private RAM
//   Extent      {region, offset, length}: neighbours are merged, so the list is as short as the memory allows
//   ExtentList  the extents of one blob in the blob's order, and the few regions that they lie in
//   ExtentTail  the same list from one byte of the blob on, without a copy

#ifndef VRAMLINK_EXTENT_HPP
#define VRAMLINK_EXTENT_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vramlink {

enum class RegionKind : uint8_t {
    VfioBar,    ///< a BAR of a VFIO device: fd is the device's, index the VFIO region's
    SharedRam,  ///< can be mapped again: fd is a memfd or a file
    PrivateRam, ///< only the VMM's own mapping reaches it
};

/// Everything is borrowed from the VMM's glue, which says when it ends (vrl_table_revoke_region()).
struct Region {
    uint64_t id = 0; ///< identity, never 0
    RegionKind kind = RegionKind::PrivateRam;
    int fd = -1;
    uint32_t index = 0;        ///< VFIO region index
    uint64_t size = 0;         ///< bytes
    uint64_t map_offset = 0;   ///< of the first byte in fd; map_offset + size fits 64 bits
    std::byte *host = nullptr; ///< the VMM's mapping of the first byte, or null
    std::string name;          ///< for messages
};

struct Extent {
    uint64_t offset; ///< bytes from the region's start
    uint64_t length; ///< bytes, never 0; offset + length never passes the region's size
    uint32_t region; ///< index into ExtentList::regions()
};
static_assert(sizeof(Extent) == 24, "a guest decides how many of these the host keeps");

/// Extents from one byte of the blob on: the first one without its first `skip` bytes.
struct ExtentTail {
    std::span<const Extent> extents;
    uint64_t skip = 0; ///< bytes, less than extents[0].length

    [[nodiscard]] size_t size() const noexcept { return extents.size(); }
    /// The extent at @p i, cut where the tail starts.
    [[nodiscard]] Extent at(size_t i) const noexcept
    {
        Extent extent = extents[i];
        if (i == 0) {
            extent.offset += skip;
            extent.length -= skip;
        }
        return extent;
    }
};

class ExtentList {
  public:
    /// Adds @p length bytes at @p offset of @p region to the end; merges with the last extent where they
    /// touch. The caller has checked that they lie inside the region and that length is not 0.
    void append(const std::shared_ptr<const Region> &region, uint64_t offset, uint64_t length);
    /// Gives back memory that growing left over.
    void shrink_to_fit() { extents_.shrink_to_fit(); }

    [[nodiscard]] std::span<const Extent> extents() const noexcept { return extents_; }
    [[nodiscard]] std::span<const std::shared_ptr<const Region>> regions() const noexcept { return regions_; }
    [[nodiscard]] const Region &region_of(const Extent &extent) const noexcept
    {
        return *regions_[extent.region];
    }
    /// Bytes that all extents cover together.
    [[nodiscard]] uint64_t length() const noexcept { return length_; }
    [[nodiscard]] bool touches(uint64_t region_id) const noexcept;
    /// From byte @p start on; start is less than length().
    [[nodiscard]] ExtentTail tail(uint64_t start) const noexcept;

  private:
    [[nodiscard]] uint32_t slot_of(const std::shared_ptr<const Region> &region);

    std::vector<Extent> extents_;
    std::vector<std::shared_ptr<const Region>> regions_;
    uint64_t length_ = 0;
};

} // namespace vramlink

#endif
