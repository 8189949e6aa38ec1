// SPDX-License-Identifier: GPL-2.0-or-later
//
// IdList: the ids of a table's blobs in order, so that a page of them is found without a look at the others.

#ifndef VRAMLINK_HW_BLOB_ID_LIST_HPP
#define VRAMLINK_HW_BLOB_ID_LIST_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vramlink {

class IdList {
  public:
    /// The next insert() does not fail.
    void make_room()
    {
        constexpr size_t first = 64;
        if (ids_.size() == ids_.capacity())
            ids_.reserve(std::max(first, 2 * ids_.size()));
    }
    /// There is room, and the id is not in the list.
    void insert(uint32_t id) noexcept { ids_.insert(std::lower_bound(ids_.begin(), ids_.end(), id), id); }
    /// It is in the list.
    void erase(uint32_t id) noexcept { ids_.erase(std::lower_bound(ids_.begin(), ids_.end(), id)); }
    void clear() noexcept { ids_.clear(); }

    /// The ids of the @p page-th (from 0) stretch of @p length; none behind the last one.
    [[nodiscard]] std::span<const uint32_t> page(uint64_t page, size_t length) const noexcept
    {
        const uint64_t first = std::min<uint64_t>(page * length, ids_.size());
        return std::span(ids_).subspan(first, std::min<size_t>(length, ids_.size() - first));
    }

  private:
    std::vector<uint32_t> ids_;
};

} // namespace vramlink

#endif
