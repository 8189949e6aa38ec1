// SPDX-License-Identifier: GPL-2.0-or-later

#include "vramlink/range_storage.hpp"

#include <utility>

namespace vramlink {

RangeStorage::RangeStorage(RangePool *pool, size_t capacity) : pool_(pool)
{
    if (pool_ != nullptr && pool_->spare_.capacity_ >= capacity) {
        ranges_ = std::move(pool_->spare_.ranges_);
        capacity_ = std::exchange(pool_->spare_.capacity_, 0);
        return;
    }
    ranges_ = std::make_unique_for_overwrite<Range[]>(header_room / sizeof(Range) + capacity);
    capacity_ = capacity;
}

RangeStorage::RangeStorage(RangeStorage &&other) noexcept
    : pool_(other.pool_), ranges_(std::move(other.ranges_)), capacity_(std::exchange(other.capacity_, 0))
{
}

RangeStorage &RangeStorage::operator=(RangeStorage &&other) noexcept
{
    std::swap(pool_, other.pool_);
    std::swap(ranges_, other.ranges_);
    std::swap(capacity_, other.capacity_);
    return *this;
}

RangeStorage::~RangeStorage()
{
    if (pool_ == nullptr || capacity_ > RangePool::most || capacity_ <= pool_->spare_.capacity_)
        return;
    pool_->spare_.ranges_ = std::move(ranges_);
    pool_->spare_.capacity_ = capacity_;
}

} // namespace vramlink
