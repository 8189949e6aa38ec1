// SPDX-License-Identifier: GPL-2.0-or-later
//
// Blobs that travel to another table, and guest addresses that an IOMMU takes away.

#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>

namespace vramlink::test {
namespace {

constexpr uint64_t ram_gpa = 0x100000;
constexpr uint64_t bar_gpa = 0x80000000;
constexpr uint64_t size = 64 * page;

struct Saved {
    uint64_t size;
    bool revoked;
    std::vector<vrl_entry> entries;
};

std::map<uint32_t, Saved> save(const Bench &bench)
{
    std::map<uint32_t, Saved> all;
    vrl_table_save(
        bench.get(),
        [](void *opaque, const vrl_saved_blob *blob) {
            (*static_cast<std::map<uint32_t, Saved> *>(opaque))[blob->id] = {
                blob->size, blob->revoked, {blob->entries, blob->entries + blob->nr_entries}};
        },
        &all);
    return all;
}

vrl_status restore(const Bench &bench, uint32_t id, const Saved &saved)
{
    const vrl_saved_blob blob{.id = id,
                              .size = saved.size,
                              .revoked = saved.revoked,
                              .entries = saved.entries.data(),
                              .nr_entries = static_cast<uint32_t>(saved.entries.size())};
    return vrl_table_restore(bench.get(), &blob);
}

/// A guest with RAM and a BAR.
struct Guest {
    Guest()
    {
        bench.vmm.map(ram_gpa, ram, 0, size);
        bench.vmm.map(bar_gpa, bar, 0, size);
    }
    Bench bench;
    FakeRegion &ram = bench.vmm.add_region(VRL_REGION_SHARED_RAM, size, "ram");
    FakeRegion &bar = bench.vmm.add_region(VRL_REGION_VFIO_BAR, size, "bar");
};

TEST(Migrate, ABlobIsMadeAgainFromWhatWasSaved)
{
    Guest from;
    ASSERT_EQ(
        from.bench.create(1, 3 * page,
                          {{ram_gpa, page, 0}, {ram_gpa + page, page, 0}, {ram_gpa + 5 * page, page, 0}}),
        VRL_OK);
    ASSERT_EQ(from.bench.create(2, page, {{ram_gpa, page, 0}}), VRL_OK);
    ASSERT_EQ(vrl_table_detach(from.bench.get(), 2), VRL_OK);
    const auto all = save(from.bench);
    ASSERT_EQ(all.size(), 2U);
    ASSERT_EQ(all.at(1).entries.size(), 2U) << "neighbours are merged";
    EXPECT_EQ(all.at(1).entries[0].length, 2 * page);

    Guest to;
    for (const auto &[id, saved] : all)
        ASSERT_EQ(restore(to.bench, id, saved), VRL_OK);
    const auto *view = to.bench.view(1, 2 * page, 1, 1);
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(view[0], pattern(1, 5 * page));
    EXPECT_TRUE(vrl_table_has(to.bench.get(), 2));
    EXPECT_FALSE(vrl_table_is_backed(to.bench.get(), 2));
}

TEST(Migrate, ATombstoneStaysOne)
{
    Guest from;
    ASSERT_EQ(from.bench.create(1, page, {{ram_gpa, page, 0}}), VRL_OK);
    ASSERT_EQ(vrl_table_revoke_region(from.bench.get(), from.ram.raw.id, "test"), 1U);
    Guest to;
    ASSERT_EQ(restore(to.bench, 1, save(from.bench).at(1)), VRL_OK);
    EXPECT_TRUE(vrl_table_is_revoked(to.bench.get(), 1));
    EXPECT_EQ(vrl_table_detach(to.bench.get(), 1), VRL_OK);
    EXPECT_EQ(vrl_table_unref(to.bench.get(), 1), VRL_OK);
}

TEST(Migrate, WhatArrivesIsCheckedLikeAGuestsCommand)
{
    Guest to;
    EXPECT_EQ(restore(to.bench, 0, {page, false, {}}), VRL_ERR_INVALID_RESOURCE_ID);
    EXPECT_EQ(restore(to.bench, 1, {0, false, {}}), VRL_ERR_INVALID_PARAMETER);
    EXPECT_EQ(restore(to.bench, 1, {2 * page, false, {{ram_gpa, page, 0}}}), VRL_ERR_INVALID_PARAMETER);
    EXPECT_EQ(restore(to.bench, 1, {page, false, {{~0ULL, page, 0}}}), VRL_ERR_INVALID_PARAMETER);
    EXPECT_EQ(restore(to.bench, 1, {page, false, {}}), VRL_OK);
    EXPECT_EQ(restore(to.bench, 1, {page, false, {}}), VRL_ERR_INVALID_RESOURCE_ID) << "twice";
}

TEST(Migrate, MemoryOfAVfioDeviceIsCountedAndStaysBehind)
{
    Guest guest;
    ASSERT_EQ(guest.bench.create(1, page, {{bar_gpa, page, 0}}), VRL_OK);
    ASSERT_EQ(guest.bench.create(2, 2 * page, {{ram_gpa, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    ASSERT_EQ(guest.bench.create(3, page, {{ram_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_vfio_blobs(guest.bench.get()), 2U);
    EXPECT_TRUE(save(guest.bench).at(1).entries.empty());
    EXPECT_TRUE(save(guest.bench).at(2).entries.empty());
    ASSERT_EQ(vrl_table_detach(guest.bench.get(), 1), VRL_OK);
    EXPECT_EQ(vrl_table_vfio_blobs(guest.bench.get()), 1U);
    ASSERT_EQ(vrl_table_unref(guest.bench.get(), 2), VRL_OK);
    EXPECT_EQ(vrl_table_vfio_blobs(guest.bench.get()), 0U);
}

TEST(Migrate, KeptAddressesAreBounded)
{
    vrl_limits limits{};
    limits.max_extents_total = 4;
    Bench bench(limits);
    bench.vmm.map(ram_gpa, bench.vmm.add_region(VRL_REGION_SHARED_RAM, size, "ram"), 0, size);
    // An IOMMU may show one page of memory at many addresses: few ranges, many entries.
    bench.vmm.map(ram_gpa + size, bench.vmm.add_region(VRL_REGION_SHARED_RAM, size, "more"), 0, size);
    const std::vector<vrl_entry> three{{ram_gpa, page, 0}, {ram_gpa + 2 * page, page, 0}, {ram_gpa, page, 0}};
    EXPECT_EQ(bench.create(1, 3 * page, three), VRL_OK);
    EXPECT_EQ(bench.create(2, 3 * page, three), VRL_ERR_OUT_OF_MEMORY);
    ASSERT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    EXPECT_EQ(bench.create(2, 3 * page, three), VRL_OK) << "what was charged is given back";
}

TEST(Addresses, AnUnmapRevokesWhatItTouches)
{
    Guest guest;
    guest.bench.vmm.iommu = true;
    ASSERT_EQ(guest.bench.create(1, 2 * page, {{bar_gpa + 8 * page, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    ASSERT_EQ(guest.bench.create(2, page, {{ram_gpa, page, 0}}), VRL_OK);
    vrl_table *table = guest.bench.get();
    EXPECT_EQ(vrl_table_revoke_addresses(table, bar_gpa + page, bar_gpa + 8 * page - 1, "gap"), 0U);
    EXPECT_EQ(vrl_table_revoke_addresses(table, bar_gpa + 9 * page, ~0ULL, "behind"), 0U);
    EXPECT_EQ(vrl_table_revoke_addresses(table, bar_gpa + 9 * page - 1, bar_gpa + 9 * page, "last byte"), 1U);
    EXPECT_TRUE(vrl_table_is_revoked(table, 1));
    EXPECT_TRUE(vrl_table_is_backed(table, 2));
    ASSERT_EQ(guest.bench.vmm.releases.size(), 1U);
    EXPECT_TRUE(guest.bench.vmm.releases[0].revoked);
    EXPECT_EQ(vrl_table_revoke_addresses(table, 0, ~0ULL, "everything"), 1U);
    EXPECT_EQ(vrl_table_revoke_addresses(table, 0, ~0ULL, "again"), 0U);
}

TEST(Addresses, WithoutAnIommuNobodyIsRevoked)
{
    Guest guest;
    ASSERT_EQ(guest.bench.create(1, page, {{ram_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_revoke_addresses(guest.bench.get(), 0, ~0ULL, "everything"), 0U);
}

TEST(Stats, TellScanoutsAndErrorsByKind)
{
    Guest guest;
    ASSERT_EQ(guest.bench.create(1, page, {{ram_gpa, page, 0}}), VRL_OK);
    guest.bench.vmm.scanouts[1] = 0b1001;
    vrl_table_count_error(guest.bench.get(), VRL_ERR_INVALID_SCANOUT_ID);
    vrl_table_count_error(guest.bench.get(), VRL_ERR_INVALID_SCANOUT_ID);
    const auto stats = nlohmann::json::parse(guest.bench.stats());
    EXPECT_EQ(stats["blobs"][0]["scanouts"], nlohmann::json::array({0, 3}));
    EXPECT_EQ(stats["totals"]["errors"], (nlohmann::json{{"invalid scanout", 2}}));
    EXPECT_EQ(stats["totals"]["command_errors"], 2);
}

} // namespace
} // namespace vramlink::test
