// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/address_list.hpp"

#include <algorithm>

namespace vramlink {
namespace {

// A packed word: the number of the first page, then the number of pages, which is never 0.
constexpr unsigned page_bits = 12;
constexpr unsigned count_bits = 32 - page_bits; // lengths have 32 bits
constexpr unsigned address_bits = 64 - count_bits + page_bits;

bool fits_a_word(const vrl_entry &entry)
{
    constexpr uint64_t inside = (1ULL << page_bits) - 1;
    return ((entry.gpa | entry.length) & inside) == 0 && entry.gpa >> address_bits == 0;
}

uint64_t packed(const vrl_entry &entry)
{
    return entry.gpa >> page_bits << count_bits | entry.length >> page_bits;
}

vrl_entry unpacked(uint64_t word)
{
    const auto pages = static_cast<uint32_t>(word & ((1ULL << count_bits) - 1));
    return {word >> count_bits << page_bits, pages << page_bits, 0};
}

/// The parts of @p entries that the first @p length bytes take.
template <class Visit> void each_part(std::span<const vrl_entry> entries, uint64_t length, Visit visit)
{
    for (const vrl_entry &entry : entries) {
        const auto part = static_cast<uint32_t>(std::min<uint64_t>(entry.length, length));
        if (part == 0)
            return;
        visit(vrl_entry{entry.gpa, part, 0});
        length -= part;
    }
}

} // namespace

vrl_entry AddressList::at(size_t i) const noexcept
{
    if (words_each_ == 1)
        return unpacked(words_[i]);
    return {words_[2 * i], static_cast<uint32_t>(words_[2 * i + 1]), 0};
}

void AddressList::put(const vrl_entry &entry)
{
    if (words_each_ == 1) {
        words_.push_back(packed(entry));
        return;
    }
    words_.push_back(entry.gpa);
    words_.push_back(entry.length);
}

void AddressList::append(const vrl_entry &entry)
{
    lowest_ = std::min(lowest_, entry.gpa);
    highest_ = std::max(highest_, entry.gpa + (entry.length - 1));
    if (!words_.empty()) {
        vrl_entry last = at(size() - 1);
        if (last.gpa + last.length == entry.gpa &&
            last.length <= std::numeric_limits<uint32_t>::max() - entry.length) {
            last.length += entry.length;
            words_.resize(words_.size() - words_each_);
            put(last);
            return;
        }
    }
    put(entry);
}

AddressList AddressList::of(std::span<const vrl_entry> entries, uint64_t length)
{
    AddressList list;
    each_part(entries, length, [&list](const vrl_entry &part) {
        if (!fits_a_word(part))
            list.words_each_ = 2;
    });
    each_part(entries, length, [&list](const vrl_entry &part) { list.append(part); });
    list.words_.shrink_to_fit();
    return list;
}

std::vector<vrl_entry> AddressList::entries() const
{
    std::vector<vrl_entry> entries(size());
    for (size_t i = 0; i < entries.size(); ++i)
        entries[i] = at(i);
    return entries;
}

bool AddressList::overlaps(uint64_t first, uint64_t last) const noexcept
{
    if (first > highest_ || last < lowest_)
        return false;
    for (size_t i = 0; i < size(); ++i) {
        const vrl_entry entry = at(i);
        if (first <= entry.gpa + (entry.length - 1) && entry.gpa <= last)
            return true;
    }
    return false;
}

} // namespace vramlink
