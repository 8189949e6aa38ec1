// SPDX-License-Identifier: GPL-2.0-or-later
//
// History: the last 64 blobs that are gone, oldest first.

#ifndef VRAMLINK_HW_BLOB_HISTORY_HPP
#define VRAMLINK_HW_BLOB_HISTORY_HPP

#include "hw/blob/facts.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace vramlink {

class History {
  public:
    static constexpr size_t capacity = 64;

    History() { ring_.reserve(capacity); }

    void add(Facts facts) noexcept
    {
        if (ring_.size() < capacity) {
            ring_.push_back(std::move(facts)); // reserved: does not throw
            return;
        }
        ring_[oldest_] = std::move(facts);
        oldest_ = (oldest_ + 1) % capacity;
    }
    [[nodiscard]] size_t size() const noexcept { return ring_.size(); }
    /// @p i counts from the oldest.
    [[nodiscard]] const Facts &at(size_t i) const noexcept { return ring_[(oldest_ + i) % ring_.size()]; }

  private:
    std::vector<Facts> ring_;
    size_t oldest_ = 0;
};

} // namespace vramlink

#endif
