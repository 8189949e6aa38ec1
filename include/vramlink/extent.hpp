// SPDX-License-Identifier: GPL-2.0-or-later
//
// The memory behind a blob, as the heart, the exporters and the views speak of it.
//
//   Region      a stretch of host memory that guest addresses translate to: a BAR, a memfd, private RAM
//   Extent      {region, offset, length}: neighbours are merged, so the list is as short as the memory allows
//   ExtentList  the extents of one blob in the blob's order, and the few regions that they lie in
//   ExtentTail  the same list from one byte of the blob on, without a copy
//
// A list has tens of thousands of extents, for each buffer, so it keeps 16 bytes for each, {offset, length}
// as the kernel wants them in a request, and says once per run of extents which region they lie in.

#ifndef VRAMLINK_EXTENT_HPP
#define VRAMLINK_EXTENT_HPP

#include "vramlink/range_storage.hpp"

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

class ExtentList {
  public:
    /// Extents from @p from on that lie in @p region; an index into regions().
    struct Run {
        uint32_t from;
        uint32_t region;
    };

    /// Goes through the extents in their order.
    class Iterator {
      public:
        Iterator(const ExtentList &list, size_t at) : list_(&list), at_(at) {}
        Extent operator*() const noexcept
        {
            const Range &range = list_->ranges()[at_];
            return {range.offset, range.length, list_->runs_[run_].region};
        }
        Iterator &operator++() noexcept
        {
            ++at_;
            if (run_ + 1 < list_->runs_.size() && list_->runs_[run_ + 1].from == at_)
                ++run_;
            return *this;
        }
        bool operator==(const Iterator &other) const noexcept { return at_ == other.at_; }

      private:
        const ExtentList *list_;
        size_t at_, run_ = 0;
    };

    /// The extents of a list that outlives it.
    class View {
      public:
        explicit View(const ExtentList &list) : list_(&list) {}
        [[nodiscard]] size_t size() const noexcept { return list_->size_; }
        Extent operator[](size_t i) const noexcept
        {
            const Range &range = list_->ranges()[i];
            return {range.offset, range.length, list_->slot_at(i)};
        }
        [[nodiscard]] Iterator begin() const noexcept { return {*list_, 0}; }
        [[nodiscard]] Iterator end() const noexcept { return {*list_, size()}; }

      private:
        const ExtentList *list_;
    };

    /// Adds stretches of one region to the end of a list, many at a time. Nobody looks at the list until it
    /// ends.
    class Writer {
      public:
        /// For at most @p most stretches.
        Writer(ExtentList &list, const std::shared_ptr<const Region> &region, size_t most)
            : list_(list), next_(list.open_run(region, most)), end_(list.end_of_run())
        {
        }
        Writer(const Writer &) = delete;
        Writer &operator=(const Writer &) = delete;
        ~Writer() { list_.close_run(next_, length_, seams_); }

        /// Merges with the extent before where they touch. The caller has checked that they lie inside the
        /// region and that @p length is not 0.
        void add(uint64_t offset, uint64_t length) noexcept
        {
            seams_ |= offset | length;
            length_ += length;
            if (offset == end_) {
                next_[-1].length += length;
            } else {
                *next_++ = {offset, length};
            }
            end_ = offset + length;
        }

      private:
        ExtentList &list_;
        Range *next_;
        uint64_t end_; ///< of the last extent
        uint64_t length_ = 0, seams_ = 0;
    };

    /// With a @p pool, storage is taken from it and goes back to it; it outlives the list.
    explicit ExtentList(RangePool *pool = nullptr) : storage_(pool) {}

    /// One stretch: see Writer::add().
    void append(const std::shared_ptr<const Region> &region, uint64_t offset, uint64_t length)
    {
        Writer(*this, region, 1).add(offset, length);
    }
    /// Gives back memory that growing left over.
    void shrink_to_fit();

    [[nodiscard]] View extents() const noexcept { return View(*this); }
    [[nodiscard]] std::span<const Range> ranges() const noexcept { return {begin(), size_}; }
    [[nodiscard]] std::span<const std::shared_ptr<const Region>> regions() const noexcept { return regions_; }
    [[nodiscard]] const Region &region_of(const Extent &extent) const noexcept
    {
        return *regions_[extent.region];
    }
    /// Bytes that all extents cover together.
    [[nodiscard]] uint64_t length() const noexcept { return length_; }
    /// True when every piece that was ever added starts and ends at a multiple of @p alignment, a power of
    /// two, in its region. False says nothing: pieces that were merged count, too.
    [[nodiscard]] bool surely_aligned(uint64_t alignment) const noexcept
    {
        return (seams_ & (alignment - 1)) == 0;
    }
    [[nodiscard]] bool touches(uint64_t region_id) const noexcept;
    /// Whether it has one of the bytes [@p first, @p last] of the region.
    [[nodiscard]] bool overlaps(uint64_t region_id, uint64_t first, uint64_t last) const noexcept;
    /// Bytes of memory that the list itself takes.
    [[nodiscard]] size_t footprint() const noexcept;

    /// @p bytes right before ranges(), at most RangeStorage::header_room, so that a request which the kernel
    /// wants in front of them needs no copy of them. It is no part of the list's value: whoever makes a
    /// request writes its header there, and nobody else looks.
    [[nodiscard]] std::byte *header(size_t bytes) const noexcept { return storage_.header(bytes); }

  private:
    [[nodiscard]] Range *begin() const noexcept { return storage_.begin(); }
    [[nodiscard]] uint32_t slot_at(size_t i) const noexcept;
    [[nodiscard]] uint32_t slot_of(const std::shared_ptr<const Region> &region);
    void move_to(RangeStorage storage);
    [[nodiscard]] Range *open_run(const std::shared_ptr<const Region> &region, size_t most);
    /// Where a stretch must start to be merged with the last extent; no offset when there is none in this
    /// run.
    [[nodiscard]] uint64_t end_of_run() const noexcept;
    void close_run(const Range *next, uint64_t length, uint64_t seams) noexcept;

    RangeStorage storage_;
    size_t size_ = 0; ///< extents
    std::vector<Run> runs_;
    std::vector<std::shared_ptr<const Region>> regions_;
    uint64_t length_ = 0;
    uint64_t seams_ = 0; ///< all offsets and lengths that were ever added, or-ed
};

/// Extents from one byte of the blob on: the first one without its first bytes.
class ExtentTail {
  public:
    /// From byte @p start on, less than the list's length(). The list outlives the tail.
    ExtentTail(const ExtentList &list, uint64_t start) noexcept;

    [[nodiscard]] size_t size() const noexcept { return list_.extents().size() - first_; }
    /// The extent at @p i, cut where the tail starts.
    [[nodiscard]] Extent operator[](size_t i) const noexcept
    {
        Extent extent = list_.extents()[first_ + i];
        if (i == 0) {
            extent.offset += skip_;
            extent.length -= skip_;
        }
        return extent;
    }

  private:
    const ExtentList &list_;
    size_t first_ = 0;
    uint64_t skip_; ///< bytes, less than the first extent's length
};

} // namespace vramlink

#endif
