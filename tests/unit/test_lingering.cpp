// SPDX-License-Identifier: GPL-2.0-or-later
//
// A dma-buf of a VFIO device that its blob has given back while somebody else had it is not forgotten: a loss
// of its memory waits for it.

#include "tests/unit/fake_vmm.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t size = 512 * page;
constexpr std::chrono::milliseconds limit{500};

class Lingers : public testing::Test {
  protected:
    Lingers() : Lingers(512) {}
    explicit Lingers(uint64_t descriptors) : bench({}, 30000, descriptors)
    {
        bench.map_bars(2, size);
        bench.vmm.map(gpa_of(3), bench.vmm.add_region(VRL_REGION_SHARED_RAM, size, "ram"), 0, size);
    }
    /// Returns its dma-buf, which somebody holds.
    int held(uint32_t id, uint64_t region = 1)
    {
        EXPECT_EQ(bench.create(id, page, {{gpa_of(region) + id * page, page, 0}}), VRL_OK);
        const int fd = bench.dmabuf(id, 0);
        bench.calls.holders[fd] = 1;
        return fd;
    }
    [[nodiscard]] int device(uint64_t region) const { return bench.vmm.find(gpa_of(region))->region->raw.fd; }
    [[nodiscard]] nlohmann::json totals() const { return nlohmann::json::parse(bench.stats())["totals"]; }
    [[nodiscard]] std::chrono::milliseconds passed() const
    {
        return std::chrono::duration_cast<std::chrono::milliseconds>(bench.clock.time - start);
    }

    Bench bench;
    Clock::Time start = bench.clock.time;
};

TEST_F(Lingers, UntilNobodyHasIt)
{
    const int fd = held(1);
    ASSERT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_EQ(passed().count(), 0) << "the guest does not wait for it";
    EXPECT_TRUE(is_open(fd));
    EXPECT_EQ(totals()["lingering"], 1);
    EXPECT_EQ(totals()["dmabuf_fds"], 0) << "it is no blob's";
    EXPECT_EQ(bench.process.descriptors.used(), 1U);
    EXPECT_TRUE(vrl_table_in_device(bench.get(), device(1)));
    EXPECT_FALSE(vrl_table_in_device(bench.get(), device(2)));
    bench.calls.holders[fd] = 0;
    EXPECT_EQ(totals()["lingering"], 0) << "the stats look again";
    EXPECT_EQ(totals()["lingered"], 1);
    EXPECT_FALSE(is_open(fd));
    EXPECT_EQ(bench.process.descriptors.used(), 0U);
    EXPECT_FALSE(vrl_table_in_device(bench.get(), device(1)));
}

TEST_F(Lingers, OnlyWhatSomebodyHolds)
{
    const int fd = held(1);
    bench.calls.holders[fd] = 0;
    ASSERT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_FALSE(is_open(fd));
    EXPECT_EQ(totals()["lingered"], 0);
}

TEST_F(Lingers, NothingOfRam)
{
    const int fd = held(1, 3);
    ASSERT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_SHARED);
    ASSERT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_FALSE(is_open(fd));
    EXPECT_EQ(totals()["lingered"], 0);
}

struct Way {
    const char *name;
    std::function<void(vrl_table *)> give_back;
};

class EachWay : public Lingers, public testing::WithParamInterface<Way> {};

TEST_P(EachWay, TheLossWaitsAndCutsOff)
{
    const int fd = held(1);
    const uint64_t inode = inode_of(fd);
    GetParam().give_back(bench.get());
    ASSERT_TRUE(is_open(fd));
    bench.vmm.hanging = 1;
    vrl_table_revoke_device(bench.get(), device(1), "D3");
    EXPECT_EQ(passed(), limit);
    EXPECT_FALSE(is_open(fd));
    EXPECT_EQ(totals()["held_over"], 1);
    EXPECT_EQ(totals()["cut_off"], 1);
    ASSERT_EQ(bench.vmm.asked.size(), 1U);
    EXPECT_TRUE(bench.vmm.asked[0].certain);
    EXPECT_EQ(bench.vmm.held, std::vector<uint64_t>{inode});
    EXPECT_TRUE(bench.vmm.logged("still holds its dma-buf after 500 ms"));
    EXPECT_EQ(totals()["lingering"], 0);
}

INSTANTIATE_TEST_SUITE_P(
    Lingers, EachWay,
    testing::Values(Way{"Detach", [](vrl_table *table) { vrl_table_detach(table, 1); }},
                    Way{"Unref", [](vrl_table *table) { vrl_table_unref(table, 1); }},
                    Way{"Reset", [](vrl_table *table) { vrl_table_reset(table); }},
                    Way{"Unshare", [](vrl_table *table) { vrl_table_unshare(table, 1, "no image"); }}),
    [](const auto &row) { return std::string(row.param.name); });

TEST_F(Lingers, TheLossWaitsNoLongerThanItIsHeld)
{
    const int fd = held(1);
    ASSERT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    bench.clock.on_pause = [&] {
        EXPECT_TRUE(is_open(fd));
        if (passed().count() == 20)
            bench.calls.holders[fd] = 0;
    };
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 0U) << "no blob was revoked";
    EXPECT_EQ(passed().count(), 20);
    EXPECT_EQ(bench.vmm.cut_offs, 0U);
    EXPECT_EQ(totals()["held_over"], 0);
    EXPECT_FALSE(is_open(fd));
}

TEST_F(Lingers, AnotherMemorysLossDoesNotConcernIt)
{
    const int fd = held(1);
    ASSERT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    vrl_table_revoke_region(bench.get(), 2, "gone");
    vrl_table_revoke_device(bench.get(), device(2), "D3");
    vrl_table_revoke_addresses(bench.get(), 0, ~0ULL, "unmapped");
    EXPECT_EQ(passed().count(), 0);
    EXPECT_TRUE(is_open(fd));
}

TEST_F(Lingers, ItSharesTheTimeWithBlobs)
{
    held(1);
    held(2);
    ASSERT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 1U);
    EXPECT_EQ(passed(), limit);
    EXPECT_EQ(totals()["held_over"], 2);
    EXPECT_EQ(bench.vmm.cut_offs, 1U);
    EXPECT_EQ(bench.vmm.held.size(), 2U);
}

TEST_F(Lingers, WhatTheKernelReports)
{
    const int lost = held(1);
    const int kept = held(2);
    vrl_table_reset(bench.get());
    bench.calls.tells = true;
    bench.calls.states = {{lost, {device(1), false, 1}}};
    EXPECT_EQ(vrl_table_revoke_reported(bench.get(), device(1), "host"), 0U);
    EXPECT_EQ(passed(), limit);
    EXPECT_FALSE(is_open(lost));
    EXPECT_TRUE(is_open(kept)) << "given back since: the kernel says it lives";
}

/// Revocation has waited already, and forgets.
TEST_F(Lingers, NothingThatWasRevoked)
{
    const int fd = held(1);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 1U);
    EXPECT_FALSE(is_open(fd));
    EXPECT_EQ(totals()["lingered"], 0);
}

TEST_F(Lingers, ImportedHereNothingIsCertain)
{
    const int fd = held(1);
    vrl_table_imported_here(bench.get(), 1);
    ASSERT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    EXPECT_TRUE(is_open(fd));
    vrl_table_revoke_region(bench.get(), 1, "gone");
    EXPECT_EQ(passed().count(), 0);
    ASSERT_EQ(bench.vmm.asked.size(), 1U);
    EXPECT_FALSE(bench.vmm.asked[0].certain);
    EXPECT_EQ(totals()["held_over"], 0);
}

/// The virtio-gpu is unplugged: nobody looks after them any more.
TEST_F(Lingers, UntilTheTableGoes)
{
    const int given_back = held(1);
    const int still_a_blobs = held(2);
    ASSERT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    bench.free_table();
    EXPECT_EQ(passed(), limit);
    EXPECT_EQ(bench.vmm.asked.size(), 1U);
    EXPECT_EQ(bench.vmm.held.size(), 2U);
    EXPECT_FALSE(is_open(given_back) || is_open(still_a_blobs));
    EXPECT_EQ(bench.process.descriptors.used(), 0U);
}

TEST_F(Lingers, EachCommandLooksAtAFew)
{
    constexpr uint32_t many = 40;
    std::vector<int> fds;
    for (uint32_t id = 1; id <= many; ++id)
        fds.push_back(held(id));
    vrl_table_reset(bench.get());
    for (const int fd : fds)
        bench.calls.holders[fd] = 0;
    const auto closed = [&] {
        return std::count_if(fds.begin(), fds.end(), [](int fd) { return !is_open(fd); });
    };
    ASSERT_EQ(vrl_table_detach(bench.get(), 999), VRL_ERR_INVALID_RESOURCE_ID);
    EXPECT_GE(closed(), 1) << "also a refused command looks";
    EXPECT_LE(closed(), 8);
    for (uint32_t id = 0; id < many; ++id)
        vrl_table_unref(bench.get(), 999);
    EXPECT_EQ(closed(), many);
}

/// One that is held for long is not in the way of others.
TEST_F(Lingers, ThoseThatAreHeldAreNotLookedAtAgainAndAgain)
{
    std::vector<int> fds;
    for (uint32_t id = 1; id <= 40; ++id)
        fds.push_back(held(id));
    vrl_table_reset(bench.get());
    bench.calls.holders[fds.back()] = 0;
    for (uint32_t i = 0; i < 40; ++i)
        vrl_table_unref(bench.get(), 999);
    EXPECT_FALSE(is_open(fds.back()));
}

class FewDescriptors : public Lingers {
  protected:
    FewDescriptors() : Lingers(2) {}
};

TEST_F(FewDescriptors, TheyAreLookedAtWhenThereAreNoneLeft)
{
    const int first = held(1);
    const int second = held(2);
    ASSERT_EQ(bench.create(3, page, {{gpa_of(1), page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 3), VRL_PLAN_MAPPED);
    vrl_table_unref(bench.get(), 3);
    vrl_table_unref(bench.get(), 1);
    vrl_table_unref(bench.get(), 2);
    ASSERT_EQ(bench.create(4, page, {{gpa_of(1), page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 4), VRL_PLAN_MAPPED) << "both are held, and paid for";
    EXPECT_TRUE(is_open(first) && is_open(second));
    vrl_table_unref(bench.get(), 4);
    bench.calls.holders[second] = 0;
    ASSERT_EQ(bench.create(5, page, {{gpa_of(1), page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 5), VRL_PLAN_SHARED);
    EXPECT_TRUE(is_open(first));
}

TEST_F(FewDescriptors, OneThatCannotBeCountedMakesRoom)
{
    bench.calls.counts = false;
    const int first = held(1);
    const uint64_t inode = inode_of(first);
    held(2);
    vrl_table_unref(bench.get(), 1);
    vrl_table_unref(bench.get(), 2);
    ASSERT_EQ(bench.create(3, page, {{gpa_of(1), page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 3), VRL_PLAN_SHARED);
    EXPECT_NE(inode_of(first), inode) << "the oldest";
    EXPECT_EQ(totals()["lingering"], 1);
}

TEST_F(Lingers, ThoseThatCannotBeCountedAreFew)
{
    bench.calls.counts = false;
    const int first = held(1);
    vrl_table_unref(bench.get(), 1);
    for (uint32_t id = 2; id <= Lingering::max_uncounted; ++id) {
        held(id);
        vrl_table_unref(bench.get(), id);
    }
    EXPECT_EQ(totals()["lingering"], Lingering::max_uncounted);
    EXPECT_TRUE(is_open(first));
    EXPECT_FALSE(bench.vmm.logged("is forgotten"));
    const uint64_t inode = inode_of(first);
    held(100);
    vrl_table_unref(bench.get(), 100);
    EXPECT_EQ(totals()["lingering"], Lingering::max_uncounted);
    EXPECT_NE(inode_of(first), inode) << "the oldest goes";
    EXPECT_TRUE(bench.vmm.logged("is forgotten, though a consumer may hold it"));
    vrl_table_revoke_region(bench.get(), 1, "gone");
    EXPECT_EQ(passed().count(), 0);
    EXPECT_FALSE(bench.vmm.asked.at(0).certain);
    EXPECT_EQ(bench.vmm.held.size(), VRL_MAX_HELD);
}

} // namespace
} // namespace vramlink::test
