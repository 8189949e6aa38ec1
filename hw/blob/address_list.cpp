// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/address_list.hpp"

#include <algorithm>

namespace vramlink {

void AddressList::append(uint64_t gpa, uint32_t length)
{
    lowest_ = std::min(lowest_, gpa);
    highest_ = std::max(highest_, gpa + (length - 1));
    if (!entries_.empty()) {
        vrl_entry &last = entries_.back();
        if (last.gpa + last.length == gpa && last.length <= std::numeric_limits<uint32_t>::max() - length) {
            last.length += length;
            return;
        }
    }
    entries_.push_back({gpa, length, 0});
}

AddressList AddressList::of(std::span<const vrl_entry> entries, uint64_t length)
{
    AddressList list;
    for (const vrl_entry &entry : entries) {
        const auto part = static_cast<uint32_t>(std::min<uint64_t>(entry.length, length));
        if (part == 0)
            break;
        list.append(entry.gpa, part);
        length -= part;
    }
    list.entries_.shrink_to_fit();
    return list;
}

bool AddressList::overlaps(uint64_t first, uint64_t last) const noexcept
{
    if (first > highest_ || last < lowest_)
        return false;
    return std::any_of(entries_.begin(), entries_.end(), [&](const vrl_entry &entry) {
        return first <= entry.gpa + (entry.length - 1) && entry.gpa <= last;
    });
}

} // namespace vramlink
