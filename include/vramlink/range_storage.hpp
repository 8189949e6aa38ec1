// SPDX-License-Identifier: GPL-2.0-or-later
//
// Range         {offset, length} of a stretch of a region, laid out as the kernel wants it in a request
// RangeStorage  memory for so many of them, and for a request's header right before the first
// RangePool     keeps the storage that was given back last: the next list of a guest that makes and destroys
// framebuffers
//               does not wait for fresh pages, which for a large list cost more than writing it

#ifndef VRAMLINK_RANGE_STORAGE_HPP
#define VRAMLINK_RANGE_STORAGE_HPP

#include <cstddef>
#include <cstdint>
#include <memory>

namespace vramlink {

struct Range {
    uint64_t offset; ///< bytes
    uint64_t length; ///< bytes
};
static_assert(sizeof(Range) == 16, "a guest decides how many of these the host keeps");

class RangePool;

/// Movable; what was moved from has no room.
class RangeStorage {
  public:
    static constexpr size_t header_room = 2 * sizeof(Range); ///< bytes

    /// No room yet. @p pool may be null; it outlives the storage.
    explicit RangeStorage(RangePool *pool = nullptr) noexcept : pool_(pool) {}
    /// Room for at least @p capacity ranges, not initialized.
    RangeStorage(RangePool *pool, size_t capacity);
    RangeStorage(RangeStorage &&other) noexcept;
    RangeStorage &operator=(RangeStorage &&other) noexcept;
    ~RangeStorage();

    /// Null without room.
    [[nodiscard]] Range *begin() const noexcept
    {
        return ranges_ ? ranges_.get() + header_room / sizeof(Range) : nullptr;
    }
    [[nodiscard]] size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] RangePool *pool() const noexcept { return pool_; }
    /// The @p bytes right before the first range; only where there is room.
    [[nodiscard]] std::byte *header(size_t bytes) const noexcept
    {
        return reinterpret_cast<std::byte *>(begin()) - bytes;
    }

  private:
    friend class RangePool;

    RangePool *pool_;
    std::unique_ptr<Range[]> ranges_;
    size_t capacity_ = 0;
};

/// Not thread safe.
class RangePool {
  public:
    /// Larger storage is not kept: 1 MiB, a list of 65,536 single pages.
    static constexpr size_t most = 65536;

    [[nodiscard]] size_t capacity() const noexcept { return spare_.capacity(); }

  private:
    friend class RangeStorage;

    RangeStorage spare_;
};

} // namespace vramlink

#endif
