// SPDX-License-Identifier: GPL-2.0-or-later
//
// The guest's addresses, kept in one word each where they are whole pages.

#include "hw/blob/address_list.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>

namespace vramlink::test {
namespace {

using Entries = std::vector<vrl_entry>;

constexpr uint32_t longest = 0xfffff000; // in whole pages

void expect_same(const AddressList &list, const Entries &entries)
{
    const Entries kept = list.entries();
    ASSERT_EQ(kept.size(), entries.size());
    ASSERT_EQ(list.size(), entries.size());
    for (size_t i = 0; i < entries.size(); ++i) {
        EXPECT_EQ(kept[i].gpa, entries[i].gpa) << i;
        EXPECT_EQ(kept[i].length, entries[i].length) << i;
    }
}

TEST(AddressList, KeepsPagesInOneWordEach)
{
    const Entries entries{{0, page, 0},
                          {8 * page, longest, 0},
                          {(1ULL << 56) - page, page, 0}, // the last page that a word holds
                          {2 * page, 3 * page, 0}};
    const AddressList list = AddressList::of(entries, ~0ULL);
    expect_same(list, entries);
    EXPECT_EQ(list.footprint(), entries.size() * sizeof(uint64_t));
}

TEST(AddressList, KeepsWhatDoesNotFitAWordAsItIs)
{
    for (const vrl_entry odd : {vrl_entry{page + 1, page, 0}, vrl_entry{page, page - 1, 0},
                                vrl_entry{1ULL << 56, page, 0}, vrl_entry{0xfffffffffffff000, 0xfff, 0}}) {
        const Entries entries{{64 * page, page, 0}, odd, {128 * page, page, 0}};
        expect_same(AddressList::of(entries, ~0ULL), entries);
    }
}

TEST(AddressList, MergesNeighboursAsFarAsALengthGoes)
{
    const Entries entries{{0, longest - page, 0}, {longest - page, page, 0}, {longest, page, 0}};
    expect_same(AddressList::of(entries, ~0ULL), {{0, longest, 0}, {longest, page, 0}});
    const Entries odd{{1, 5, 0}, {6, 5, 0}, {12, 1, 0}};
    expect_same(AddressList::of(odd, ~0ULL), {{1, 10, 0}, {12, 1, 0}});
}

TEST(AddressList, EndsWhereTheBlobEnds)
{
    const Entries entries{{0, 2 * page, 0}, {8 * page, 2 * page, 0}, {16 * page, page, 0}};
    expect_same(AddressList::of(entries, 3 * page), {{0, 2 * page, 0}, {8 * page, page, 0}});
    expect_same(AddressList::of(entries, 3 * page + 1), {{0, 2 * page, 0}, {8 * page, page + 1, 0}});
}

TEST(AddressList, OverlapsToTheByte)
{
    for (const uint64_t shift : {0ULL, 1ULL}) { // packed, and not
        const Entries entries{{8 * page + shift, page, 0}, {16 * page + shift, page, 0}};
        const AddressList list = AddressList::of(entries, ~0ULL);
        const uint64_t first = 8 * page + shift;
        EXPECT_FALSE(list.overlaps(0, first - 1));
        EXPECT_TRUE(list.overlaps(0, first));
        EXPECT_TRUE(list.overlaps(first + page - 1, first + page - 1));
        EXPECT_FALSE(list.overlaps(first + page, 16 * page + shift - 1));
        EXPECT_TRUE(list.overlaps(16 * page + shift, ~0ULL));
        EXPECT_FALSE(list.overlaps(17 * page + shift, ~0ULL));
    }
}

} // namespace
} // namespace vramlink::test
