// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a guest may say about a blob's backing, and what it must not.

#include "hw/blob/translate.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t bar_gpa = 0x8000'0000;
constexpr uint64_t bar_size = 64 * page;
constexpr uint64_t device_gpa = 0xfee0'0000;
constexpr uint64_t end_gpa = 0xffff'ffff'ffff'f000;

struct Hostile {
    const char *name;
    uint32_t id;
    uint64_t size;
    std::vector<vrl_entry> entries;
    vrl_status answer;
    const char *words; ///< that the logged sentence must have
};

void PrintTo(const Hostile &hostile, std::ostream *out)
{
    *out << hostile.name;
}

class HostileNumbers : public testing::TestWithParam<Hostile> {
  protected:
    HostileNumbers()
    {
        FakeRegion &bar = bench.vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "bar");
        bench.vmm.map(bar_gpa, bar, 0, bar_size);
        bench.vmm.map_device(device_gpa, page);
    }
    Bench bench{{.max_entries = 8,
                 .max_blobs = 2,
                 .max_extents_total = 6,
                 .max_bytes_copied = 2 * page,
                 .let_go_ms = 0,
                 .max_bytes_pinned = 0}};
};

TEST_P(HostileNumbers, AreRefusedInWordsAndLeaveNothing)
{
    const size_t fds = open_fds();
    EXPECT_EQ(bench.create(GetParam().id, GetParam().size, GetParam().entries), GetParam().answer);
    ASSERT_EQ(bench.vmm.log.size(), 1U);
    EXPECT_NE(bench.vmm.log[0].text.find(GetParam().words), std::string::npos) << bench.vmm.log[0].text;
    EXPECT_EQ(open_fds(), fds);
    EXPECT_FALSE(vrl_table_has(bench.get(), GetParam().id));
    const auto totals = nlohmann::json::parse(bench.stats())["totals"];
    EXPECT_EQ(totals["extents"], 0);
    EXPECT_EQ(totals["dmabuf_fds"], 0);
    EXPECT_EQ(bench.create(77, page, {{bar_gpa, page, 0}}), VRL_OK) << "the next valid command must work";
}

std::vector<vrl_entry> scattered(size_t pages)
{
    std::vector<vrl_entry> entries;
    for (size_t i = 0; i < pages; ++i)
        entries.push_back({bar_gpa + 2 * i * page, page, 0});
    return entries;
}

INSTANTIATE_TEST_SUITE_P(
    Table, HostileNumbers,
    testing::Values(
        Hostile{"id_0", 0, page, {{bar_gpa, page, 0}}, VRL_ERR_INVALID_RESOURCE_ID, "id 0"},
        Hostile{"size_0", 1, 0, {{bar_gpa, page, 0}}, VRL_ERR_INVALID_PARAMETER, "size is 0"},
        Hostile{"no_entries", 1, page, {}, VRL_ERR_INVALID_PARAMETER, "0 entries; 1 to 8"},
        Hostile{"too_many_entries", 1, page, scattered(9), VRL_ERR_INVALID_PARAMETER, "9 entries; 1 to 8"},
        Hostile{"length_0",
                1,
                page,
                {{bar_gpa, page, 0}, {bar_gpa, 0, 0}},
                VRL_ERR_INVALID_PARAMETER,
                "entry 1 at 0x80000000 has length 0"},
        Hostile{"wraps", 1, page, {{end_gpa, 2 * page, 0}}, VRL_ERR_INVALID_PARAMETER, "wraps around"},
        Hostile{"wraps_behind_the_blob",
                1,
                page,
                {{bar_gpa, page, 0}, {end_gpa, 0xffffffff, 0}},
                VRL_ERR_INVALID_PARAMETER,
                "entry 1: 0xfffffffffffff000 + 0xffffffff wraps"},
        Hostile{"too_short",
                1,
                2 * page,
                {{bar_gpa, page, 0}},
                VRL_ERR_INVALID_PARAMETER,
                "cover 4096 bytes of a blob of 8192"},
        Hostile{"one_byte_short",
                1,
                page + 1,
                {{bar_gpa, page, 0}},
                VRL_ERR_INVALID_PARAMETER,
                "cover 4096 bytes of a blob of 4097"},
        Hostile{
            "size_max", 1, ~0ULL, {{bar_gpa, page, 0}}, VRL_ERR_INVALID_PARAMETER, "18446744073709551615"},
        Hostile{"unmapped", 1, page, {{0x1000, page, 0}}, VRL_ERR_INVALID_PARAMETER, "address 0x1000"},
        Hostile{"across_the_bar_end",
                1,
                2 * page,
                {{bar_gpa + bar_size - page, 2 * page, 0}},
                VRL_ERR_INVALID_PARAMETER,
                "nothing answers at guest address 0x80040000"},
        Hostile{"device", 1, page, {{device_gpa, page, 0}}, VRL_ERR_INVALID_PARAMETER, "not memory"},
        Hostile{"too_many_extents", 1, 7 * page, scattered(7), VRL_ERR_OUT_OF_MEMORY, "6 ranges"},
        Hostile{"more_than_there_is",
                1,
                bar_size + 1,
                {{bar_gpa, bar_size, 0}, {bar_gpa, page, 0}},
                VRL_ERR_INVALID_PARAMETER,
                "the size is 262145 bytes, and the memory that the backing lies in has 262144"}),
    [](const auto &row) { return std::string(row.param.name); });

TEST(Translate, IdInUseAndTooManyBlobs)
{
    Bench bench{{.max_entries = 0,
                 .max_blobs = 2,
                 .max_extents_total = 0,
                 .max_bytes_copied = 0,
                 .let_go_ms = 0,
                 .max_bytes_pinned = 0}};
    bench.vmm.map(bar_gpa, bench.vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "bar"), 0, bar_size);
    EXPECT_EQ(bench.create(1, page, {{bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(bench.create(1, page, {{bar_gpa, page, 0}}), VRL_ERR_INVALID_RESOURCE_ID);
    EXPECT_EQ(bench.create(2, page, {{bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(bench.create(3, page, {{bar_gpa, page, 0}}), VRL_ERR_OUT_OF_MEMORY);
    EXPECT_TRUE(bench.vmm.logged("its limit is 2"));
    EXPECT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    EXPECT_EQ(bench.create(3, page, {{bar_gpa, page, 0}}), VRL_OK);
}

TEST(Translate, BoundsThePiecesOfOneCommand)
{
    FakeVmm vmm;
    vmm.map(bar_gpa, vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "bar"), 0, bar_size);
    vmm.longest_piece = page; // one range after merging, but nine questions to the IOMMU
    const vrl_ops ops = vmm.ops();
    RegionRegistry regions;
    const TranslateContext context{
        .ops = ops, .opaque = &vmm, .regions = regions, .max_entries = 1, .extents_left = 1, .max_pieces = 8};
    const vrl_entry nine{bar_gpa, 9 * page, 0};
    const auto refused = translate_entries(context, 9 * page, {&nine, 1});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().status, VRL_ERR_OUT_OF_MEMORY);
    EXPECT_EQ(vmm.translations, 8U);
    const auto merged = translate_entries(context, 8 * page, {&nine, 1});
    ASSERT_TRUE(merged.has_value());
    EXPECT_EQ(merged->memory.extents().size(), 1U);
}

TEST(Translate, AsksOnceForEachStretch)
{
    Bench bench;
    bench.vmm.map(bar_gpa, bench.vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "bar"), 0, bar_size);
    ASSERT_EQ(
        bench.create(1, 3 * page,
                     {{bar_gpa + 6 * page, page, 0}, {bar_gpa, page, 0}, {bar_gpa + 2 * page, page, 0}}),
        VRL_OK);
    EXPECT_EQ(bench.vmm.translations, 1U);
    bench.vmm.iommu = true; // says nothing about the pages around
    ASSERT_EQ(bench.create(2, 2 * page, {{bar_gpa + 6 * page, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(bench.vmm.translations, 3U);
}

TEST(Translate, WhatIsWrongWithTheListCountsBeforeWhatItNames)
{
    Bench bench;
    bench.vmm.map(bar_gpa, bench.vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "bar"), 0, bar_size);
    const vrl_entry good{bar_gpa, page, 0}, nowhere{0, page, 0}, empty{bar_gpa, 0, 0};
    EXPECT_EQ(bench.create(1, 3 * page, {good, nowhere, empty}), VRL_ERR_INVALID_PARAMETER);
    EXPECT_TRUE(bench.vmm.logged("entry 2 at"));
    EXPECT_EQ(bench.create(2, 3 * page, {good, nowhere}), VRL_ERR_INVALID_PARAMETER);
    EXPECT_TRUE(bench.vmm.logged("2 entries cover"));
    EXPECT_EQ(bench.create(4, ~0ULL, {good}), VRL_ERR_INVALID_PARAMETER);
    EXPECT_TRUE(bench.vmm.logged("1 entries cover"));
    EXPECT_EQ(bench.create(3, page, {good, empty}), VRL_ERR_INVALID_PARAMETER); // not needed, and wrong
}

TEST(Translate, CutsLongBackingToTheBlobInPages)
{
    Bench bench;
    bench.vmm.map(bar_gpa, bench.vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "bar"), 0, bar_size);
    // The second entry is needed for one byte and lies in the first one's stretch; the third, unmapped, for
    // none.
    ASSERT_EQ(
        bench.create(1, page + 1, {{bar_gpa, page, 0}, {bar_gpa + 4 * page, 8 * page, 0}, {0, page, 0}}),
        VRL_OK);
    const auto blob = nlohmann::json::parse(bench.stats())["blobs"][0];
    EXPECT_EQ(blob["ranges"], 2);
    EXPECT_EQ(blob["entries"], 3);
    EXPECT_EQ(blob["plan"], "shared");
    EXPECT_EQ(bench.vmm.translations, 1U);
}

TEST(Translate, RefusesGluesNonsense)
{
    Bench bench;
    FakeRegion &bar = bench.vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "bar");
    bench.vmm.map(bar_gpa, bar, bar_size - page, 4 * page); // leads past the region's end
    EXPECT_EQ(bench.create(1, 2 * page, {{bar_gpa, 2 * page, 0}}), VRL_ERR_INVALID_PARAMETER);
    ASSERT_EQ(bench.vmm.log.size(), 1U);
    EXPECT_EQ(bench.vmm.log[0].level, VRL_LOG_HOST);
    EXPECT_TRUE(bench.vmm.logged("makes no sense"));
}

TEST(Translate, RejectsWhatNobodyCanReadAndRemembersIt)
{
    Bench bench;
    FakeRegion &hidden = bench.vmm.add_region(VRL_REGION_PRIVATE_RAM, bar_size, "hidden");
    hidden.raw.host = nullptr;
    bench.vmm.map(bar_gpa, hidden, 0, bar_size);
    EXPECT_EQ(bench.create(1, page, {{bar_gpa, page, 0}}), VRL_ERR_INVALID_PARAMETER);
    const auto history = nlohmann::json::parse(bench.stats())["history"];
    ASSERT_EQ(history.size(), 1U);
    EXPECT_EQ(history[0]["plan"], "rejected");
    EXPECT_NE(history[0]["reason"].get<std::string>().find("hidden is not readable"), std::string::npos);
}

} // namespace
} // namespace vramlink::test
