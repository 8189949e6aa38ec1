// SPDX-License-Identifier: GPL-2.0-or-later
//
// Revocation lets consumers go before anything is closed: all are told, they are given a bounded time, and
// one that does not let go costs nobody more than that.

#include "tests/unit/fake_vmm.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/stat.h>

#include <set>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t size = 64 * page;
constexpr std::chrono::milliseconds limit{500};

class Revoke : public testing::Test {
  protected:
    Revoke() { bench.map_bars(2, size); }
    /// Returns its dma-buf.
    int shared(uint32_t id, uint64_t region = 1)
    {
        EXPECT_EQ(bench.create(id, page, {{gpa_of(region) + id * page, page, 0}}), VRL_OK);
        return bench.dmabuf(id, 0);
    }
    [[nodiscard]] nlohmann::json totals() const { return nlohmann::json::parse(bench.stats())["totals"]; }
    [[nodiscard]] std::chrono::milliseconds passed() const
    {
        return std::chrono::duration_cast<std::chrono::milliseconds>(bench.clock.time - start);
    }

    Bench bench;
    Clock::Time start = bench.clock.time;
};

TEST_F(Revoke, NobodyHoldsItNobodyWaits)
{
    const int fd = shared(1);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 1U);
    EXPECT_FALSE(is_open(fd));
    EXPECT_EQ(passed(), std::chrono::milliseconds(0));
}

TEST_F(Revoke, AllAreToldThenAwaitedThenClosed)
{
    const int first = shared(1);
    const int second = shared(2);
    bench.calls.holders = {{first, 1}, {second, 2}};
    bench.vmm.on_release = [&](uint32_t) { EXPECT_EQ(passed().count(), 0) << "told after a wait"; };
    bench.clock.on_pause = [&] {
        EXPECT_EQ(bench.vmm.releases.size(), 2U) << "waited before all were told";
        EXPECT_TRUE(is_open(first) && is_open(second)) << "closed while a consumer held one";
        if (passed() == std::chrono::milliseconds(20))
            bench.calls.holders[first] = 0;
        if (passed() == std::chrono::milliseconds(30))
            bench.calls.holders[second] = 0;
    };
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 2U);
    EXPECT_EQ(passed(), std::chrono::milliseconds(30));
    EXPECT_FALSE(is_open(first) || is_open(second));
    EXPECT_EQ(totals()["held_over"], 0);
    EXPECT_EQ(bench.vmm.cut_offs, 0U) << "all have let go in time";
}

TEST_F(Revoke, AConsumerThatHangsIsWaitedForOnceForAllBlobs)
{
    std::vector<int> fds;
    for (uint32_t id = 1; id <= 10; ++id)
        bench.calls.holders[fds.emplace_back(shared(id))] = 1;
    std::set<uint64_t> inodes;
    for (const int fd : fds)
        inodes.insert(inode_of(fd));
    bench.vmm.hanging = 2;
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 10U);
    EXPECT_EQ(passed(), limit);
    EXPECT_EQ(totals()["held_over"], 10);
    EXPECT_EQ(bench.vmm.cut_offs, 1U);
    EXPECT_EQ(totals()["cut_off"], 2);
    EXPECT_EQ(std::set(bench.vmm.held.begin(), bench.vmm.held.end()), inodes);
    EXPECT_TRUE(bench.vmm.logged("still holds its dma-buf after 500 ms"));
    for (const int fd : fds)
        EXPECT_FALSE(is_open(fd));
    for (uint32_t id = 1; id <= 10; ++id)
        EXPECT_TRUE(vrl_table_is_revoked(bench.get(), id));
}

TEST_F(Revoke, TheTimeCanBeChosen)
{
    Bench patient({.max_entries = 0,
                   .max_blobs = 0,
                   .max_extents_total = 0,
                   .max_bytes_copied = 0,
                   .let_go_ms = 20,
                   .max_bytes_pinned = 0});
    patient.vmm.map(gpa_of(1), patient.vmm.add_region(VRL_REGION_VFIO_BAR, size, "bar"), 0, size);
    ASSERT_EQ(patient.create(1, page, {{gpa_of(1), page, 0}}), VRL_OK);
    patient.calls.holders[patient.dmabuf(1, 0)] = 1;
    const Clock::Time before = patient.clock.time;
    EXPECT_EQ(vrl_table_revoke_region(patient.get(), 1, "gone"), 1U);
    EXPECT_EQ(patient.clock.time - before, std::chrono::milliseconds(20));
    EXPECT_TRUE(patient.vmm.logged("still holds its dma-buf after 20 ms"));
}

/// Whoever is to be cut off is looked for among the holders of what is held, not of all that goes.
TEST_F(Revoke, WhatIsHeldIsNamedUpToALimit)
{
    std::vector<int> fds;
    for (uint32_t id = 1; id <= VRL_MAX_HELD + 2; ++id)
        fds.push_back(shared(id));
    bench.calls.holders[fds[1]] = 1;
    const uint64_t held = inode_of(fds[1]);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), VRL_MAX_HELD + 2);
    EXPECT_EQ(bench.vmm.held, std::vector<uint64_t>{held});

    fds.clear();
    for (uint32_t id = 1; id <= VRL_MAX_HELD + 2; ++id) {
        EXPECT_EQ(vrl_table_unref(bench.get(), id), VRL_OK);
        bench.calls.holders[fds.emplace_back(shared(id))] = 1;
    }
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), VRL_MAX_HELD + 2);
    EXPECT_EQ(bench.vmm.held.size(), VRL_MAX_HELD);
}

TEST_F(Revoke, TheGuestsOwnDetachWaitsForNobody)
{
    const int fd = shared(1);
    bench.calls.holders[fd] = 1;
    EXPECT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_EQ(passed(), std::chrono::milliseconds(0));
}

TEST_F(Revoke, ADeviceTakesTheBlobsOfItsBarsOnly)
{
    const int ours = shared(1, 1);
    const int others = shared(2, 2);
    const int device = bench.vmm.find(gpa_of(1))->region->raw.fd;
    bench.calls.holders[others] = 1;
    EXPECT_TRUE(vrl_table_in_device(bench.get(), device));
    EXPECT_EQ(vrl_table_revoke_device(bench.get(), device, "D3"), 1U);
    EXPECT_EQ(passed().count(), 0) << "waited for a blob that stays";
    EXPECT_FALSE(is_open(ours));
    EXPECT_TRUE(is_open(others));
    EXPECT_FALSE(vrl_table_in_device(bench.get(), device));
    EXPECT_EQ(vrl_table_revoke_device(bench.get(), device, "D3"), 0U);
}

TEST_F(Revoke, WhatTheKernelReportsGoesAndNothingElse)
{
    const int lost = shared(1);
    const int kept = shared(2);
    shared(3, 2);
    const int device = bench.vmm.find(gpa_of(1))->region->raw.fd;
    bench.calls.tells = true;
    EXPECT_EQ(vrl_table_revoke_reported(bench.get(), device, "host"), 0U) << "a signal without a revocation";
    bench.calls.states = {{lost, {device, false, 1}}};
    bench.calls.holders = {{lost, 1}};
    bench.clock.on_pause = [&] { bench.calls.holders[lost] = 0; };
    EXPECT_EQ(vrl_table_revoke_reported(bench.get(), device, "host"), 1U);
    EXPECT_TRUE(vrl_table_is_revoked(bench.get(), 1));
    EXPECT_FALSE(is_open(lost));
    EXPECT_EQ(passed().count(), 1) << "its consumers are waited for, as in any revocation";
    EXPECT_TRUE(is_open(kept)) << "made since: the kernel says it lives";
    EXPECT_EQ(vrl_table_plan(bench.get(), 3), VRL_PLAN_SHARED);
    EXPECT_EQ(totals()["revocations"], 1);
}

TEST_F(Revoke, ABufferThatHasReturnedMeanwhileGoesToo)
{
    const int fd = shared(1);
    const int device = bench.vmm.find(gpa_of(1))->region->raw.fd;
    bench.calls.tells = true;
    bench.calls.states = {{fd, {device, true, 2}}};
    EXPECT_EQ(vrl_table_revoke_reported(bench.get(), device, "host"), 1U);
    EXPECT_FALSE(is_open(fd));
}

TEST_F(Revoke, ABlobWithoutADmabufSharesTheFateOfTheOthers)
{
    const int fd = shared(1);
    const int device = bench.vmm.find(gpa_of(1))->region->raw.fd;
    ASSERT_EQ(bench.create(2, page, {{gpa_of(1) + 64, page, 0}}), VRL_OK); // inside a page: not shared
    ASSERT_EQ(bench.create(3, page, {{gpa_of(2) + 64, page, 0}}), VRL_OK);
    bench.calls.tells = true;
    EXPECT_EQ(vrl_table_revoke_reported(bench.get(), device, "host"), 0U);
    bench.calls.states = {{fd, {device, false, 1}}};
    EXPECT_EQ(vrl_table_revoke_reported(bench.get(), device, "host"), 2U);
    EXPECT_TRUE(vrl_table_is_revoked(bench.get(), 2));
    EXPECT_TRUE(vrl_table_is_backed(bench.get(), 3)) << "another device's";
}

TEST_F(Revoke, ADriverThatDoesNotTellChangesNothing)
{
    const int fd = shared(1);
    const int device = bench.vmm.find(gpa_of(1))->region->raw.fd;
    EXPECT_EQ(vrl_table_revoke_reported(bench.get(), device, "host"), 0U);
    EXPECT_TRUE(is_open(fd));
}

/// This process imports it: a reference proves nothing about others. Glue asks the displays, at once.
TEST_F(Revoke, WhatThisProcessImportsIsNotWaitedFor)
{
    const int fd = shared(1);
    bench.calls.holders[fd] = 1;
    vrl_table_imported_here(bench.get(), 1);
    const uint64_t inode = inode_of(fd);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 1U);
    EXPECT_EQ(passed().count(), 0) << "waited for a reference that may be our own";
    EXPECT_EQ(totals()["held_over"], 0) << "nothing is certain";
    ASSERT_EQ(bench.vmm.asked.size(), 1U);
    EXPECT_FALSE(bench.vmm.asked[0].certain);
    EXPECT_EQ(bench.vmm.asked[0].limit_ms, limit.count());
    EXPECT_EQ(bench.vmm.held, std::vector<uint64_t>{inode});
}

TEST_F(Revoke, NobodyIsAskedForAnImportThatIsGone)
{
    shared(1);
    vrl_table_imported_here(bench.get(), 1);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 1U);
    EXPECT_EQ(bench.vmm.cut_offs, 0U) << "one reference is the table's";
}

TEST_F(Revoke, NewBackingIsImportedByNobody)
{
    shared(1);
    vrl_table_imported_here(bench.get(), 1);
    ASSERT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    ASSERT_EQ(bench.attach(1, {{gpa_of(1), page, 0}}), VRL_OK);
    bench.calls.holders[bench.dmabuf(1, 0)] = 1;
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 1U);
    EXPECT_EQ(passed(), limit);
    EXPECT_TRUE(bench.vmm.asked.at(0).certain);
}

TEST_F(Revoke, AnImportOfThisProcessHoldsForWhatIsExportedLater)
{
    ASSERT_EQ(bench.create(1, 2 * page, {{gpa_of(1), 2 * page, 0}}), VRL_OK);
    vrl_table_imported_here(bench.get(), 1);
    bench.calls.holders[bench.dmabuf(1, page)] = 1;
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 1U);
    EXPECT_EQ(passed().count(), 0);
    EXPECT_FALSE(bench.vmm.asked.at(0).certain);
}

/// Those that nothing is certain of come first; they use up the time of the others.
TEST_F(Revoke, BothKindsShareTheTime)
{
    const int ours = shared(1);
    const int others = shared(2);
    bench.calls.holders = {{ours, 1}, {others, 1}};
    vrl_table_imported_here(bench.get(), 1);
    bench.vmm.on_cut_off = [&](const vrl_holders &holders) {
        if (!holders.certain)
            bench.clock.time += std::chrono::milliseconds(100);
    };
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 2U);
    EXPECT_EQ(passed(), limit);
    ASSERT_EQ(bench.vmm.asked.size(), 2U);
    EXPECT_FALSE(bench.vmm.asked[0].certain);
    EXPECT_TRUE(bench.vmm.asked[1].certain);
    EXPECT_EQ(bench.vmm.asked[1].limit_ms, 0U);
    EXPECT_EQ(totals()["held_over"], 1);
}

/// libvirt's AppArmor profile does not let QEMU read /proc/self/fdinfo.
TEST_F(Revoke, ReferencesThatCannotBeCountedAreNotNone)
{
    const int fd = shared(1);
    bench.calls.counts = false;
    EXPECT_FALSE(vrl_table_await(bench.get(), 1, 50)) << "nothing tells that they have let go";
    EXPECT_EQ(passed().count(), 0);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 1U);
    EXPECT_EQ(passed().count(), 0);
    ASSERT_EQ(bench.vmm.asked.size(), 1U);
    EXPECT_FALSE(bench.vmm.asked[0].certain);
    EXPECT_EQ(bench.vmm.asked[0].limit_ms, limit.count());
    EXPECT_FALSE(is_open(fd));
}

TEST_F(Revoke, AwaitWaitsForOthersOnly)
{
    const int fd = shared(1);
    bench.calls.holders[fd] = 1;
    EXPECT_FALSE(vrl_table_await(bench.get(), 1, 50));
    EXPECT_EQ(passed().count(), 50);
    bench.clock.on_pause = [&] { bench.calls.holders[fd] = 0; };
    EXPECT_TRUE(vrl_table_await(bench.get(), 1, 50));
    EXPECT_EQ(passed().count(), 51);
    bench.calls.holders[fd] = 1;
    vrl_table_imported_here(bench.get(), 1);
    EXPECT_FALSE(vrl_table_await(bench.get(), 1, 50));
    EXPECT_EQ(passed().count(), 51) << "waited for a reference that may be our own";
}

/// virtio-mem.
TEST_F(Revoke, ARangeThatIsGivenBackTakesTheBlobsInIt)
{
    ASSERT_EQ(bench.create(1, 3 * page, {{gpa_of(1) + 8 * page, page, 0}, {gpa_of(1), 2 * page, 0}}), VRL_OK);
    ASSERT_EQ(bench.create(2, page, {{gpa_of(1) + 4 * page, page, 0}}), VRL_OK);
    ASSERT_EQ(bench.create(3, page, {{gpa_of(2) + 8 * page, page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_revoke_range(bench.get(), 1, 2 * page, 4 * page - 1, "taken"), 0U);
    EXPECT_EQ(vrl_table_revoke_range(bench.get(), 1, 9 * page, size - 1, "taken"), 0U);
    EXPECT_EQ(vrl_table_revoke_range(bench.get(), 1, 5 * page - 1, 6 * page, "taken"), 1U);
    EXPECT_TRUE(vrl_table_is_revoked(bench.get(), 2));
    EXPECT_EQ(vrl_table_revoke_range(bench.get(), 1, 0, 8 * page, "taken"), 1U) << "both pieces are in it";
    EXPECT_TRUE(vrl_table_is_revoked(bench.get(), 1));
    EXPECT_TRUE(vrl_table_is_backed(bench.get(), 3)) << "another region's";
    EXPECT_EQ(vrl_table_revoke_range(bench.get(), 77, 0, ~0ULL, "taken"), 0U);
}

/// The kernel's own count is a dma-buf's only.
TEST(References, OfWhatIsNoDmabufAreUnknown)
{
    const UniqueFd file(::memfd_create("plain", MFD_CLOEXEC));
    EXPECT_FALSE(kernel_calls().references(file.get()));
    EXPECT_FALSE(kernel_calls().references(-1)) << "nothing can be read";
}

TEST(References, CanBeCountedHere)
{
    EXPECT_TRUE(vrl_can_count_references());
}

} // namespace
} // namespace vramlink::test
