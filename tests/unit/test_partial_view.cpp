// SPDX-License-Identifier: GPL-2.0-or-later
//
// Views of a part of a blob: only the pages of the framebuffer are mapped or copied, whoever asks next gets
// what there is, and a blob cannot have many. And views that a display reads on after their blob has gone.

#include "hw/blob/framebuffer.hpp"
#include "hw/blob/layouts.hpp"
#include "hw/view/cpu_view.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>

#include <cerrno>
#include <string>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t bar_gpa = 0x8000'0000;
constexpr uint64_t ram_gpa = 0x1'0000'0000;
constexpr uint64_t pages = 64;
constexpr uint64_t size = pages * page;

bool is_mapped(const std::byte *address)
{
    const auto *first = address - reinterpret_cast<uintptr_t>(address) % page;
    return ::msync(const_cast<std::byte *>(first), page, MS_ASYNC) == 0 || errno != ENOMEM;
}

class Partial : public testing::Test {
  protected:
    explicit Partial(const vrl_limits &limits = {}) : bench(limits)
    {
        bench.calls.ioctl_errno = ENOTTY; // nothing is shared
        bench.vmm.map(bar_gpa, bar, 0, 2 * size);
        bench.vmm.map(ram_gpa, ram, 0, 2 * size);
    }
    /// Every second page of the region, from behind, so that each is an extent.
    void scattered(uint32_t id, uint64_t gpa = bar_gpa)
    {
        std::vector<vrl_entry> entries;
        for (uint64_t i = 0; i < pages; ++i)
            entries.push_back({gpa + place(i) * page, page, 0});
        ASSERT_EQ(bench.create(id, size, entries), VRL_OK);
    }
    /// Pieces that start inside a page: they can only be copied.
    void unaligned(uint32_t id, uint64_t gpa)
    {
        ASSERT_EQ(bench.create(id, size, {{gpa + 100, size / 2, 0}, {gpa + size + 8, size / 2, 0}}), VRL_OK);
        ASSERT_EQ(vrl_table_plan(bench.get(), id), VRL_PLAN_COPIED);
    }
    static uint64_t place(uint64_t index) { return 2 * (pages - 1 - index); }
    [[nodiscard]] nlohmann::json totals() const { return nlohmann::json::parse(bench.stats())["totals"]; }
    [[nodiscard]] uint64_t copied() const { return totals()["bytes_copied"]; }

    Bench bench;
    FakeRegion &bar = bench.vmm.add_region(VRL_REGION_VFIO_BAR, 2 * size, "bar");
    FakeRegion &ram = bench.vmm.add_region(VRL_REGION_PRIVATE_RAM, 2 * size, "ram");
};

TEST_F(Partial, OnlyThePagesOfTheFramebufferAreMapped)
{
    scattered(1);
    // 3 rows of 1,024 pixels from the middle of page 10 on: pages 10 to 13.
    const std::byte *view = bench.view(1, 10 * page + 2048, 1024, 3);
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(bench.maps.used(), 6U) << "four pages, the slack, the guard page";
    EXPECT_EQ(bench.process.address_space.used(), 4 * page + view_slack + page);
    for (uint64_t i = 0; i < 3 * page; ++i) {
        const uint64_t at = 10 * page + 2048 + i;
        ASSERT_EQ(view[i], pattern(1, place(at / page) * page + at % page)) << i;
    }
    for (uint64_t i = 0; i < view_slack; ++i)
        ASSERT_EQ(view[3 * page + 2048 + i], std::byte{0}) << "behind it, zeros";
}

TEST_F(Partial, WhatIsInsideOfAViewIsNotMadeAgain)
{
    scattered(1);
    const std::byte *view = bench.view(1, 10 * page, 1024, 8);
    const uint64_t used = bench.maps.used();
    EXPECT_EQ(bench.view(1, 12 * page + 64, 16, 1), view + 2 * page + 64);
    EXPECT_EQ(bench.view(1, 10 * page, 1024, 8), view);
    EXPECT_EQ(bench.maps.used(), used);
    EXPECT_EQ(totals()["views"], 1);
    const std::byte *other = bench.view(1, 17 * page, 1024, 2); // one page more than the first has
    EXPECT_EQ(*other, pattern(1, place(17) * page));
    EXPECT_EQ(totals()["views"], 2);
    EXPECT_EQ(*view, pattern(1, place(10) * page)) << "the first one stays";
}

/// A guest that pans gets a view of all at last.
TEST_F(Partial, TheLastViewIsOfTheWholeBlob)
{
    scattered(1);
    std::vector<const std::byte *> views;
    for (uint64_t i = 0; i + 8 < pages; ++i)
        views.push_back(bench.view(1, i * page, 1024, 8));
    EXPECT_EQ(totals()["views"], VRL_MAX_VIEWS);
    for (uint64_t i = 0; i < views.size(); ++i)
        EXPECT_EQ(*views[i], pattern(1, place(i) * page)) << "none was unmapped under its reader";
    EXPECT_EQ(bench.maps.used(), (VRL_MAX_VIEWS - 1) * 10 + pages + 2);
    EXPECT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    EXPECT_EQ(bench.maps.used(), 0U);
    EXPECT_EQ(bench.process.address_space.used(), 0U);
}

TEST_F(Partial, AWindowOfACopyIsOfThePartToo)
{
    unaligned(1, bar_gpa);
    // The last page of the first piece, and the first one of the second.
    const vrl_framebuffer fb = Bench::framebuffer(size / 2 - page, 1024, 2);
    const std::byte *view = bench.view(1, fb.start, 1024, 2);
    ASSERT_NE(view, nullptr);
    for (uint64_t i = 0; i < 2 * page; ++i)
        ASSERT_EQ(view[i], pattern(1, i < page ? 100 + size / 2 - page + i : size + 8 + i - page)) << i;
    EXPECT_EQ(bench.process.host_memory.used(), 2 * page);
    EXPECT_EQ(copied(), 2 * page);
}

TEST_F(Partial, ACopyIsEmptyUntilItIsFlushed)
{
    unaligned(1, ram_gpa);
    const vrl_framebuffer fb = Bench::framebuffer(5 * page, 1024, 4);
    EXPECT_FALSE(vrl_table_view_is_copy(bench.get(), 1, &fb)) << "there is none yet";
    const auto *view = static_cast<const std::byte *>(vrl_table_view(bench.get(), 1, &fb));
    ASSERT_NE(view, nullptr);
    EXPECT_TRUE(vrl_table_view_is_copy(bench.get(), 1, &fb));
    EXPECT_EQ(copied(), 0U) << "making a view copies nothing, however large the blob is";
    for (uint64_t i = 0; i < 4 * page; ++i)
        ASSERT_EQ(view[i], std::byte{0}) << i;
    vrl_table_flush(bench.get(), 1, &fb, 0, 1, 1024, 2);
    EXPECT_EQ(copied(), 2 * page);
    for (uint64_t i = 0; i < 4 * page; ++i)
        ASSERT_EQ(view[i], i / page == 1 || i / page == 2 ? pattern(2, 100 + 5 * page + i) : std::byte{0})
            << i;
    const vrl_framebuffer elsewhere = Bench::framebuffer(20 * page, 1024, 1);
    EXPECT_FALSE(vrl_table_view_is_copy(bench.get(), 1, &elsewhere));
    EXPECT_FALSE(vrl_table_view_is_copy(bench.get(), 7, &fb));
    vrl_table_flush(bench.get(), 1, &elsewhere, 0, 0, 1024, 1);
    EXPECT_EQ(copied(), 2 * page) << "nobody looks there";
}

TEST_F(Partial, AMappedViewIsNoCopy)
{
    scattered(1);
    const vrl_framebuffer fb = Bench::framebuffer(0, 1024, 1);
    ASSERT_NE(vrl_table_view(bench.get(), 1, &fb), nullptr);
    EXPECT_FALSE(vrl_table_view_is_copy(bench.get(), 1, &fb));
}

TEST_F(Partial, AFlushReachesEachCopyThatHasAPart)
{
    unaligned(1, ram_gpa);
    const vrl_framebuffer low = Bench::framebuffer(0, 1024, 4);
    const vrl_framebuffer high = Bench::framebuffer(2 * page, 1024, 4);
    const vrl_framebuffer both = Bench::framebuffer(0, 1024, 6);
    const auto *first = static_cast<const std::byte *>(vrl_table_view(bench.get(), 1, &low));
    const auto *second = static_cast<const std::byte *>(vrl_table_view(bench.get(), 1, &high));
    ASSERT_NE(first, second);
    vrl_table_flush(bench.get(), 1, &both, 0, 0, 1024, 6);
    EXPECT_EQ(copied(), 8 * page) << "pages 2 and 3 twice";
    for (uint64_t i = 0; i < 4 * page; ++i) {
        ASSERT_EQ(first[i], pattern(2, 100 + i));
        ASSERT_EQ(second[i], pattern(2, 100 + 2 * page + i));
    }
}

/// The chroma plane may lie before the luma plane; the view has both.
TEST_F(Partial, AllPlanesAreInTheView)
{
    scattered(1);
    vrl_framebuffer_request request{};
    request.layout = *parse_layout("NV12");
    request.width = request.rect_width = page;
    request.height = request.rect_height = 4;
    request.stride[0] = request.stride[1] = page;
    request.offset[0] = 20 * page;
    request.offset[1] = 8 * page;
    vrl_framebuffer fb{};
    ASSERT_EQ(vrl_framebuffer_init(bench.get(), 1, &request, &fb), VRL_OK);
    EXPECT_EQ(framebuffer_range(fb)->first, 8 * page);
    EXPECT_EQ(framebuffer_range(fb)->end, 24 * page);
    const auto *luma = static_cast<const std::byte *>(vrl_table_view(bench.get(), 1, &fb));
    ASSERT_NE(luma, nullptr);
    EXPECT_EQ(*luma, pattern(1, place(20) * page));
    EXPECT_EQ(*(luma - 12 * page), pattern(1, place(8) * page));
    EXPECT_EQ(bench.maps.used(), 16 + 2U);
    std::vector<uint32_t> pixels(page * 4);
    EXPECT_TRUE(vrl_table_convert(bench.get(), 1, &fb, pixels.data(), 4 * page, 0, 0, page, 4));
}

TEST_F(Partial, TheBlobsLastPartMayEndInsideAPage)
{
    ASSERT_EQ(bench.create(1, page + 64, {{bar_gpa + 9 * page, page, 0}, {bar_gpa, 64, 0}}), VRL_OK);
    const std::byte *view = bench.view(1, page, 4, 4);
    ASSERT_NE(view, nullptr);
    EXPECT_EQ(view[63], pattern(1, 63));
    EXPECT_EQ(bench.maps.used(), 3U);
}

class LittleSpace : public Partial {
  protected:
    LittleSpace() { bench.process.address_space.set_limit(view_slack + 16 * page); }
};

TEST_F(LittleSpace, AViewThatIsTooLargeIsRefusedAndASmallOneIsNot)
{
    scattered(1);
    EXPECT_EQ(bench.view(1, 0, 1024, pages), nullptr);
    EXPECT_TRUE(bench.vmm.logged("no CPU view: a view of 528384 bytes of address space is over the 327680"));
    EXPECT_EQ(bench.maps.used(), 0U);
    EXPECT_NE(bench.view(1, 0, 1024, 8), nullptr);
}

class LittleMemory : public Partial {
  protected:
    LittleMemory() { bench.process.host_memory.set_limit(4 * page); }
};

TEST_F(LittleMemory, BlobsThatAreOnlyCopiedCostNothingUntilSomebodyLooks)
{
    for (uint32_t id = 1; id <= 10; ++id)
        unaligned(id, ram_gpa);
    EXPECT_NE(bench.view(1, 0, 1024, 3), nullptr);
    EXPECT_EQ(bench.view(2, 0, 1024, 2), nullptr);
    EXPECT_TRUE(bench.vmm.logged("a copy of 8192 bytes is over the 4096 that are left of 16384"));
    EXPECT_NE(bench.view(2, 0, 1024, 1), nullptr);
}

class Retired : public Partial {
  protected:
    Retired() { bench.vmm.lets_go_later = true; }
};

TEST_F(Retired, AMappedViewReadsAsZerosUntilItIsReaped)
{
    scattered(1);
    const size_t before = mappings_of("memfd:vrl-region");
    const std::byte *view = bench.view(1, 0, 1024, pages);
    ASSERT_NE(view, nullptr);
    ASSERT_TRUE(vrl_reading_needed());
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "gone"), 1U);
    EXPECT_EQ(mappings_of("memfd:vrl-region"), before) << "the device's memory is not mapped any more";
    EXPECT_FALSE(vrl_reading_needed()) << "nothing can be lost now";
    for (uint64_t i = 0; i < size + view_slack; ++i)
        ASSERT_EQ(view[i], std::byte{0}) << i;
    EXPECT_GT(bench.maps.used(), 0U) << "it is paid for until it goes";
    vrl_table_reap(bench.get());
    EXPECT_FALSE(is_mapped(view));
    EXPECT_EQ(bench.maps.used(), 0U);
    vrl_table_reap(bench.get());
}

TEST_F(Retired, ACopyKeepsWhatItHasAndNothingOfTheMemory)
{
    unaligned(1, bar_gpa);
    const std::byte *view = bench.view(1, 0, 1024, 8);
    ASSERT_NE(view, nullptr);
    const std::byte expected = view[5];
    EXPECT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_EQ(mappings_of("memfd:vrl-region"), 2U) << "the regions' own";
    EXPECT_EQ(view[5], expected);
    EXPECT_EQ(bench.process.host_memory.used(), 8 * page);
    vrl_table_reap(bench.get());
    EXPECT_EQ(bench.process.host_memory.used(), 0U);
}

TEST_F(Retired, NewBackingHasAViewOfItsOwn)
{
    scattered(1);
    const std::byte *old = bench.view(1, 0, 1024, 1);
    ASSERT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    ASSERT_EQ(bench.attach(1, {{bar_gpa, size, 0}}), VRL_OK);
    const std::byte *view = bench.view(1, 0, 1024, 1);
    EXPECT_EQ(*view, pattern(1, 0));
    EXPECT_EQ(*old, std::byte{0});
    vrl_table_reap(bench.get());
    EXPECT_EQ(*view, pattern(1, 0)) << "reaping takes only what has retired";
}

TEST_F(Retired, WhoHasLetGoLeavesNothing)
{
    scattered(1);
    bench.vmm.lets_go_later = false;
    const std::byte *view = bench.view(1, 0, 1024, 1);
    EXPECT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    EXPECT_FALSE(is_mapped(view));
}

TEST_F(Retired, TheTablesEndReaps)
{
    scattered(1);
    const std::byte *view = bench.view(1, 0, 1024, 1);
    bench.free_table();
    EXPECT_FALSE(is_mapped(view));
    EXPECT_EQ(bench.maps.used(), 0U);
}

TEST_F(Retired, UnshareLeavesTheViews)
{
    bench.calls.ioctl_errno = 0;
    scattered(1);
    ASSERT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_SHARED);
    const std::byte *view = bench.view(1, 0, 1024, 1);
    vrl_table_unshare(bench.get(), 1, "no image");
    EXPECT_EQ(*view, pattern(1, place(0) * page)) << "they are not retired";
}

} // namespace
} // namespace vramlink::test
