// SPDX-License-Identifier: GPL-2.0-or-later
//
// AddressList: the guest addresses of a backing. A translation forgets them, but two things need them again:
// migration, which takes the guest's own words to the other host, and an IOMMU's unmap, which says what it
// took away in the guest's words.
//
// Framebuffers come in whole 4 KiB pages: such an entry is one word, its page's number and how many pages
// follow. A list in which one entry does not fit that keeps all of them as they are.

#ifndef VRAMLINK_HW_BLOB_ADDRESS_LIST_HPP
#define VRAMLINK_HW_BLOB_ADDRESS_LIST_HPP

#include "vramlink/blob_table.h"
#include "vramlink/budget.hpp"

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace vramlink {

class AddressList {
  public:
    AddressList() = default;

    /// The first @p length bytes of @p entries, neighbours merged, in the same order. The entries have been
    /// checked: none is empty or wraps around.
    static AddressList of(std::span<const vrl_entry> entries, uint64_t length);

    [[nodiscard]] std::vector<vrl_entry> entries() const;
    /// How many entries() there are.
    [[nodiscard]] size_t size() const noexcept { return words_.size() / words_each_; }
    /// True when a byte of [@p first, @p last] belongs to the backing.
    [[nodiscard]] bool overlaps(uint64_t first, uint64_t last) const noexcept;
    /// Bytes of memory that the list takes.
    [[nodiscard]] size_t footprint() const noexcept { return words_.capacity() * sizeof(words_[0]); }

    /// Keeps what the list was charged for.
    void charge(Charge charge) noexcept { charge_ = std::move(charge); }

  private:
    void append(const vrl_entry &entry);
    [[nodiscard]] vrl_entry at(size_t i) const noexcept;
    void put(const vrl_entry &entry);

    size_t words_each_ = 1; ///< 1: packed; 2: address, then length
    std::vector<uint64_t> words_;
    uint64_t lowest_ = std::numeric_limits<uint64_t>::max(); ///< with highest_: most unmaps are elsewhere
    uint64_t highest_ = 0;
    Charge charge_;
};

} // namespace vramlink

#endif
