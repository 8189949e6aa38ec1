// SPDX-License-Identifier: GPL-2.0-or-later
//
// Storage that goes back to a pool and comes out of it again.

#include "vramlink/range_storage.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace vramlink {
namespace {

TEST(RangeStorage, ComesBackFromThePool)
{
    RangePool pool;
    const Range *first = nullptr;
    {
        const RangeStorage storage(&pool, 100);
        first = storage.begin();
        EXPECT_EQ(pool.capacity(), 0U);
    }
    EXPECT_EQ(pool.capacity(), 100U);
    const RangeStorage again(&pool, 50);
    EXPECT_EQ(again.begin(), first);
    EXPECT_EQ(again.capacity(), 100U);
    EXPECT_EQ(pool.capacity(), 0U);
    const RangeStorage other(&pool, 50);
    EXPECT_NE(other.begin(), first);
    EXPECT_EQ(other.capacity(), 50U);
}

TEST(RangeStorage, ThePoolKeepsTheLargestUpToItsLimit)
{
    RangePool pool;
    {
        const RangeStorage small(&pool, 10);
    }
    {
        const RangeStorage large(&pool, 20);
    }
    {
        const RangeStorage small(&pool, 20);
    }
    EXPECT_EQ(pool.capacity(), 20U);
    {
        const RangeStorage huge(&pool, RangePool::most + 1);
    }
    EXPECT_EQ(pool.capacity(), 20U);
    {
        const RangeStorage most(&pool, RangePool::most);
    }
    EXPECT_EQ(pool.capacity(), RangePool::most);
    {
        const RangeStorage without(nullptr, 5);
    }
}

TEST(RangeStorage, MovesAndLeavesNoRoomBehind)
{
    RangePool pool;
    {
        RangeStorage storage(&pool, 4);
        const Range *first = storage.begin();
        RangeStorage moved(std::move(storage));
        EXPECT_EQ(storage.begin(), nullptr); // NOLINT(*-use-after-move,*.Move): what is asked
        EXPECT_EQ(moved.begin(), first);
        EXPECT_EQ(moved.header(RangeStorage::header_room) + RangeStorage::header_room,
                  reinterpret_cast<std::byte *>(moved.begin()));
        moved = RangeStorage(nullptr, 8); // what it had goes to the pool at once
        EXPECT_EQ(pool.capacity(), 4U);
    }
    EXPECT_EQ(pool.capacity(), 4U);
}

} // namespace
} // namespace vramlink
