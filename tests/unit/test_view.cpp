// SPDX-License-Identifier: GPL-2.0-or-later
//
// The CPU's view: the right bytes, side by side, and nothing left behind.

#include "hw/view/cpu_view.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t bar_gpa = 0x8000'0000;
constexpr uint64_t size = 128 * page;

class View : public testing::Test {
  protected:
    explicit View(uint64_t max_maps = 30000, const vrl_limits &limits = {}) : bench(limits, max_maps)
    {
        bench.calls.ioctl_errno = ENOTTY;
    }
    FakeRegion &add(vrl_region_kind kind, uint64_t gpa = bar_gpa)
    {
        FakeRegion &region = bench.vmm.add_region(kind, size, "memory");
        bench.vmm.map(gpa, region, 0, size);
        return region;
    }
    [[nodiscard]] nlohmann::json blob() const { return nlohmann::json::parse(bench.stats())["blobs"][0]; }
    [[nodiscard]] uint64_t copied() const
    {
        return nlohmann::json::parse(bench.stats())["totals"]["bytes_copied"];
    }

    Bench bench;
};

bool is_mapped(const std::byte *address)
{
    const auto *first = address - reinterpret_cast<uintptr_t>(address) % page;
    return ::msync(const_cast<std::byte *>(first), page, MS_ASYNC) == 0 || errno != ENOMEM;
}

TEST_F(View, PutsPagesSideBySideAndUnmapsThem)
{
    add(VRL_REGION_VFIO_BAR);
    const size_t before = mappings_of("memfd:vrl-region");
    ASSERT_EQ(bench.create(1, 3 * page, {{bar_gpa + 9 * page, page, 0}, {bar_gpa, 2 * page, 0}}), VRL_OK);
    EXPECT_EQ(mappings_of("memfd:vrl-region"), before) << "nobody asked for the view yet";
    const std::byte *view = bench.view(1, 0, 1024, 3);
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(mappings_of("memfd:vrl-region"), before + 2) << "one mapping an extent";
    for (uint64_t i = 0; i < page; ++i)
        ASSERT_EQ(view[i], pattern(1, 9 * page + i));
    for (uint64_t i = 0; i < 2 * page; ++i)
        ASSERT_EQ(view[page + i], pattern(1, i));
    EXPECT_EQ(bench.maps.used(), 4U) << "two extents, the slack, the guard page";
    EXPECT_EQ(bench.view(1, page, 1024, 1), view + page);
    bench.vmm.on_release = [&](uint32_t) {
        EXPECT_TRUE(is_mapped(view)) << "unmapped before consumers let go";
    };
    EXPECT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_EQ(bench.vmm.releases.size(), 1U);
    EXPECT_FALSE(is_mapped(view));
    EXPECT_FALSE(is_mapped(view + 2 * page + view_slack)) << "the guard page";
    EXPECT_EQ(bench.maps.used(), 0U);
    EXPECT_EQ(copied(), 0U);
}

TEST_F(View, HasAGuardPageBehindIt)
{
    add(VRL_REGION_VFIO_BAR);
    ASSERT_EQ(bench.create(1, 2 * page, {{bar_gpa + 9 * page, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    const volatile std::byte *view = bench.view(1, 0, 1024, 2);
    ASSERT_NE(view, nullptr);
    EXPECT_DEATH({ (void)view[2 * page + view_slack]; }, "") << "a load past the slack";
}

/// QEMU's displays read whole rows, the tail of the last one included.
TEST_F(View, ReadsAsZerosBehindTheLastByte)
{
    add(VRL_REGION_VFIO_BAR);
    ASSERT_EQ(bench.create(1, 2 * page, {{bar_gpa + 9 * page, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    const std::byte *view = bench.view(1, 0, 1024, 2);
    ASSERT_NE(view, nullptr);
    for (uint64_t i = 0; i < view_slack; ++i)
        ASSERT_EQ(view[2 * page + i], std::byte{0});
}

TEST_F(View, MemoryThatEndsWithTheBlobIsNotShownDirectly)
{
    const FakeRegion &ram = add(VRL_REGION_PRIVATE_RAM);
    ASSERT_EQ(bench.create(1, 100, {{bar_gpa + ram.raw.size - 100, 100, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_COPIED);
    const std::byte *view = bench.view(1, 0, 25, 1);
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(view[100 + view_slack - 1], std::byte{0});
    EXPECT_EQ(blob()["view"], "copied");
}

TEST_F(View, SeesWhatIsPaintedLater)
{
    FakeRegion &ram = add(VRL_REGION_SHARED_RAM);
    ASSERT_EQ(bench.create(1, 2 * page, {{bar_gpa + 9 * page, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    const std::byte *view = bench.view(1, 0, 1024, 2);
    ASSERT_NE(view, nullptr);
    static_cast<std::byte *>(ram.raw.host)[5] = std::byte{0x77};
    EXPECT_EQ(view[page + 5], std::byte{0x77});
    EXPECT_EQ(blob()["view"], "mapped");
}

TEST_F(View, OneExtentOfMappedMemoryNeedsNoMapping)
{
    FakeRegion &ram = add(VRL_REGION_PRIVATE_RAM);
    ASSERT_EQ(bench.create(1, 100, {{bar_gpa + 48, 100, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_MAPPED);
    EXPECT_EQ(bench.view(1, 8, 1, 1), static_cast<std::byte *>(ram.raw.host) + 56);
    EXPECT_EQ(blob()["view"], "direct");
    EXPECT_EQ(bench.maps.used(), 0U);
}

TEST_F(View, TheBlobsEndMayLieInsideAPage)
{
    add(VRL_REGION_VFIO_BAR);
    ASSERT_EQ(bench.create(1, page + 8, {{bar_gpa + 9 * page, page, 0}, {bar_gpa, 8, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_MAPPED);
    const std::byte *view = bench.view(1, page, 2, 1);
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(view[7], pattern(1, 7));
}

TEST_F(View, RefusesFramebuffersPastTheBlob)
{
    add(VRL_REGION_VFIO_BAR);
    ASSERT_EQ(bench.create(1, page, {{bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(bench.view(1, 0, 1024, 2), nullptr);
    EXPECT_EQ(bench.view(1, page, 1, 1), nullptr);
    EXPECT_EQ(bench.view(2, 0, 1, 1), nullptr);
}

class CopiedMemory : public View, public testing::WithParamInterface<vrl_region_kind> {};

TEST_P(CopiedMemory, GathersDamagedRowsOnly)
{
    FakeRegion &region = add(GetParam());
    const size_t before = mappings_of("memfd:vrl-region");
    // Pieces that start inside a page, in the wrong order.
    ASSERT_EQ(bench.create(1, 4000, {{bar_gpa + 5000, 1000, 0}, {bar_gpa + 100, 3000, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_COPIED);
    const std::byte *view = bench.view(1, 0, 100, 10);
    ASSERT_NE(view, nullptr);
    for (uint64_t i = 0; i < 4000; ++i)
        ASSERT_EQ(view[i], pattern(region.raw.id, i < 1000 ? 5000 + i : i - 900)) << i;
    EXPECT_EQ(copied(), 4000U);

    // Paint all of it; flush rows 2 and 3, columns 10 to 19; only they change.
    const auto paint = std::byte{0xa5};
    const std::string painted(size, static_cast<char>(paint));
    ASSERT_EQ(::pwrite(region.file(), painted.data(), size, static_cast<off_t>(region.raw.map_offset)),
              static_cast<ssize_t>(size));
    const vrl_framebuffer fb = Bench::framebuffer(0, 100, 10);
    vrl_table_flush(bench.get(), 1, &fb, 10, 2, 10, 2);
    EXPECT_EQ(copied(), 4000U + 2 * 40);
    for (uint64_t i = 0; i < 4000; ++i) {
        const uint64_t row = i / 400;
        const uint64_t column = i % 400 / 4;
        const bool damaged = (row == 2 || row == 3) && column >= 10 && column < 20;
        ASSERT_EQ(view[i], damaged ? paint : pattern(region.raw.id, i < 1000 ? 5000 + i : i - 900)) << i;
    }
    EXPECT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    EXPECT_EQ(mappings_of("memfd:vrl-region"), before);
    EXPECT_EQ(bench.maps.used(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, CopiedMemory,
                         testing::Values(VRL_REGION_VFIO_BAR, VRL_REGION_SHARED_RAM, VRL_REGION_PRIVATE_RAM));

/// A frame of 2 MiB, which goes past the caches, in pieces that are not multiples of what the processor
/// stores at once.
TEST_F(View, AWholeFrameIsCopiedToTheByte)
{
    constexpr uint64_t frame = 2 << 20;
    constexpr uint32_t odd = 12'345;
    FakeRegion &region = bench.vmm.add_region(VRL_REGION_PRIVATE_RAM, 2 * frame, "private");
    bench.vmm.map(bar_gpa, region, 0, 2 * frame);
    std::vector<vrl_entry> entries;
    std::vector<uint64_t> starts;
    for (uint64_t at = 0, place = 7; at < frame; at += odd, place += odd + 51) {
        entries.push_back({bar_gpa + place, odd, 0});
        starts.push_back(place);
    }
    ASSERT_EQ(bench.create(1, frame, entries), VRL_OK);
    ASSERT_EQ(blob()["plan"], "copied");
    const std::byte *view = bench.view(1, 0, 1024, 512);
    ASSERT_NE(view, nullptr);
    const uint64_t before = copied();
    const vrl_framebuffer fb = Bench::framebuffer(0, 1024, 512);
    vrl_table_flush(bench.get(), 1, &fb, 0, 0, 1024, 512);
    EXPECT_EQ(copied() - before, frame);
    for (uint64_t i = 0; i < frame; ++i)
        ASSERT_EQ(view[i], pattern(region.raw.id, starts[i / odd] + i % odd)) << i;
}

TEST_F(View, FlushIgnoresRectanglesOutsideTheFramebuffer)
{
    add(VRL_REGION_PRIVATE_RAM);
    ASSERT_EQ(bench.create(1, 4000, {{bar_gpa + 5000, 1000, 0}, {bar_gpa + 100, 3000, 0}}), VRL_OK);
    ASSERT_NE(bench.view(1, 0, 100, 10), nullptr);
    const vrl_framebuffer fb = Bench::framebuffer(0, 100, 10);
    vrl_table_flush(bench.get(), 1, &fb, 91, 0, 10, 1);
    vrl_table_flush(bench.get(), 1, &fb, 0, 0xffffffff, 1, 2);
    vrl_table_flush(bench.get(), 9, &fb, 0, 0, 1, 1);
    const vrl_framebuffer past = Bench::framebuffer(3996, 100, 10);
    vrl_table_flush(bench.get(), 1, &past, 0, 0, 100, 10); // cut at the blob's end
    EXPECT_EQ(copied(), 4000U + 4);
}

class FewMaps : public View {
  protected:
    FewMaps() : View(4) {}
};

TEST_F(FewMaps, OverTheBudgetIsACopyThatSaysWhy)
{
    add(VRL_REGION_VFIO_BAR);
    std::vector<vrl_entry> entries;
    for (uint64_t i = 0; i < 8; ++i)
        entries.push_back({bar_gpa + (15 - 2 * i) * page, page, 0});
    ASSERT_EQ(bench.create(1, 8 * page, entries), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_MAPPED);
    const std::byte *view = bench.view(1, 0, 1024, 8);
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(view[7 * page + 3], pattern(1, page + 3));
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_COPIED);
    EXPECT_NE(blob()["reason"].get<std::string>().find("10 mappings is over the 4"), std::string::npos);
    EXPECT_EQ(bench.maps.used(), 2U) << "the copy, and one window of the BAR";
    EXPECT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    EXPECT_EQ(bench.maps.used(), 0U);
}

TEST_F(FewMaps, ItsFailureDoesNotCostTheDmaBuf)
{
    Bench shared({.max_entries = 0,
                  .max_blobs = 0,
                  .max_extents_total = 0,
                  .max_bytes_copied = page,
                  .let_go_ms = 0,
                  .max_bytes_pinned = 0},
                 2);
    shared.vmm.map(bar_gpa, shared.vmm.add_region(VRL_REGION_VFIO_BAR, size, "bar"), 0, size);
    ASSERT_EQ(shared.create(1, 2 * page, {{bar_gpa + 9 * page, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(shared.view(1, 0, 1024, 2), nullptr);
    EXPECT_TRUE(shared.vmm.logged("no CPU view: a view of 4 mappings is over the 2"));
    EXPECT_TRUE(shared.vmm.logged("a copy of 8192 bytes is over the 4096"));
    EXPECT_EQ(vrl_table_plan(shared.get(), 1), VRL_PLAN_SHARED);
    EXPECT_GE(shared.dmabuf(1, 0), 0);
}

class NoMaps : public View {
  protected:
    NoMaps() : View(1) {} // the copy's own
};

TEST_F(NoMaps, ReadsTheDeviceThroughItsFd)
{
    add(VRL_REGION_VFIO_BAR);
    ASSERT_EQ(bench.create(1, 2 * page, {{bar_gpa + 9 * page, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    const std::byte *view = bench.view(1, 0, 1024, 2);
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(view[1], pattern(1, 9 * page + 1));
    EXPECT_EQ(view[page + 1], pattern(1, 1));
    EXPECT_EQ(bench.maps.used(), 1U);
}

TEST_F(View, AFileThatCannotBeMappedIsRead)
{
    FakeRegion &bar = add(VRL_REGION_VFIO_BAR);
    bar.raw.map_offset += 8; // no page boundary: mmap() answers EINVAL, as for a BAR without mmap
    ASSERT_EQ(bench.create(1, 2 * page, {{bar_gpa + 9 * page, page, 0}, {bar_gpa, page, 0}}), VRL_OK);
    const size_t before = mappings_of("memfd:vrl-region");
    const std::byte *view = bench.view(1, 0, 1024, 2);
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(view[page], pattern(1, 8));
    EXPECT_NE(blob()["reason"].get<std::string>().find("errno 22"), std::string::npos);
    EXPECT_LE(mappings_of("memfd:vrl-region"), before + 1);
}

} // namespace
} // namespace vramlink::test
