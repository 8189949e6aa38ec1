// SPDX-License-Identifier: GPL-2.0-or-later
//
// Random memory against a slow reference that knows nothing of extents: it walks the guest's addresses in
// small steps and notes where each leads. Merge, plan, slices and the bytes of the view must agree with it.

#include "hw/blob/translate.hpp"
#include "hw/export/vfio_abi.hpp"
#include "hw/view/cpu_view.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint64_t region_size = 32 * page;

/// Where one step of the blob's memory lies.
struct Step {
    const FakeRegion *region;
    uint64_t offset;
};

class RandomMemory : public testing::TestWithParam<unsigned> {
  protected:
    RandomMemory();
    std::vector<vrl_entry> entries(size_t count);
    std::vector<Step> reference(const std::vector<vrl_entry> &said, uint64_t wanted) const;
    [[nodiscard]] size_t reference_extents(const std::vector<Step> &steps) const;
    [[nodiscard]] vrl_plan reference_plan(const std::vector<Step> &steps, bool tail_aligned) const;
    uint64_t pick(uint64_t below) { return random() % below; }

    std::mt19937_64 random{GetParam()};
    Bench bench;
    uint64_t unit = GetParam() % 2 == 0 ? page : 512; ///< of addresses and lengths
    uint64_t space = 0;                               ///< guest addresses in use
};

/// Up to five regions, cut into windows that lie shuffled, sometimes overlapping in the region, in guest
/// space.
RandomMemory::RandomMemory()
{
    const std::vector<vrl_region_kind> kinds{VRL_REGION_VFIO_BAR, VRL_REGION_SHARED_RAM,
                                             VRL_REGION_PRIVATE_RAM};
    // A third of the seeds has one kind only, so that each plan comes up.
    const bool one_kind = GetParam() % 3 != 0;
    const auto kind = kinds[pick(kinds.size())];
    for (uint64_t r = 0; r < 1 + pick(GetParam() % 4 == 1 ? 1 : 4); ++r) {
        FakeRegion &region =
            bench.vmm.add_region(one_kind ? kind : kinds[pick(kinds.size())], region_size, "memory");
        for (int w = 0; w < 6; ++w) {
            const uint64_t offset = pick(region_size / unit - 1) * unit;
            const uint64_t length = unit * (1 + pick((region_size - offset) / unit));
            bench.vmm.map(space, region, offset, length);
            space += length;
        }
    }
    bench.vmm.longest_piece = pick(2) == 0 ? unit : ~0ULL;
}

std::vector<vrl_entry> RandomMemory::entries(size_t count)
{
    std::vector<vrl_entry> made;
    uint64_t next = 0;
    for (size_t i = 0; i < count; ++i) {
        // Often where the last one ended, so that there is something to merge.
        const uint64_t at = pick(3) == 0 && next < space ? next : pick(space / unit) * unit;
        const uint64_t length = unit * (1 + pick(std::min<uint64_t>(8, (space - at) / unit)));
        made.push_back({at, static_cast<uint32_t>(length), 0});
        next = at + length;
    }
    return made;
}

std::vector<Step> RandomMemory::reference(const std::vector<vrl_entry> &said, uint64_t wanted) const
{
    std::vector<Step> steps;
    for (const vrl_entry &entry : said)
        for (uint64_t at = 0; at < entry.length && steps.size() * unit < wanted; at += unit) {
            const auto place = bench.vmm.find(entry.gpa + at);
            if (!place)
                throw std::logic_error("an entry outside guest space");
            steps.push_back({place->region, place->offset});
        }
    return steps;
}

size_t RandomMemory::reference_extents(const std::vector<Step> &steps) const
{
    size_t count = 1;
    for (size_t i = 1; i < steps.size(); ++i)
        count +=
            steps[i].region != steps[i - 1].region || steps[i].offset != steps[i - 1].offset + unit ? 1 : 0;
    return count;
}

vrl_plan RandomMemory::reference_plan(const std::vector<Step> &steps, bool tail_aligned) const
{
    const auto all = [&](auto holds) { return std::all_of(steps.begin(), steps.end(), holds); };
    const bool one_region = all([&](const Step &s) { return s.region == steps[0].region; });
    const bool bars = all([](const Step &s) { return s.region->raw.kind == VRL_REGION_VFIO_BAR; });
    const bool memfds = all([](const Step &s) { return s.region->raw.kind == VRL_REGION_SHARED_RAM; });
    const bool fds = all([](const Step &s) { return s.region->raw.fd >= 0; });
    // Page by page: its steps must lie in one page, in order. One extent may be anywhere.
    bool paged = true;
    for (size_t i = 0; i < steps.size(); ++i) {
        const uint64_t in_page = i * unit % page;
        const Step &first = steps[i - in_page / unit];
        paged &= first.offset % page == 0 && first.region == steps[i].region &&
                 steps[i].offset == first.offset + in_page;
    }
    if (paged && tail_aligned && ((bars && one_region) || memfds))
        return VRL_PLAN_SHARED;
    const bool direct = reference_extents(steps) == 1 && steps[0].region->raw.host != nullptr &&
                        steps.back().offset + unit + view_slack <= steps[0].region->raw.size;
    return direct || (paged && fds) ? VRL_PLAN_MAPPED : VRL_PLAN_COPIED;
}

uint64_t wanted_pages(uint64_t size)
{
    return (size + page - 1) / page * page;
}

/// Bytes of the regions that the steps lie in.
uint64_t memory_of(const std::vector<Step> &steps)
{
    std::map<uint64_t, uint64_t> sizes;
    for (const Step &step : steps)
        sizes[step.region->raw.id] = wanted_pages(step.region->raw.size);
    return std::accumulate(sizes.begin(), sizes.end(), uint64_t{0},
                           [](uint64_t sum, const auto &entry) { return sum + entry.second; });
}

TEST_P(RandomMemory, AgreesWithTheReference)
{
    for (int round = 0; round < 20; ++round) {
        const auto said = entries(1 + pick(24));
        uint64_t covered = 0;
        for (const vrl_entry &entry : said)
            covered += entry.length;
        const uint64_t size = std::max<uint64_t>(8, covered - pick(std::min<uint64_t>(covered, page)));
        const uint64_t wanted = std::min(covered, (size + page - 1) / page * page);
        const auto steps = reference(said, wanted);

        if (wanted_pages(size) > memory_of(steps)) {
            ASSERT_EQ(bench.create(1, size, said), VRL_ERR_INVALID_PARAMETER);
            continue;
        }
        ASSERT_EQ(bench.create(1, size, said), VRL_OK);
        const auto blob = nlohmann::json::parse(bench.stats())["blobs"][0];
        ASSERT_EQ(blob["ranges"], reference_extents(steps));
        ASSERT_EQ(vrl_table_plan(bench.get(), 1), reference_plan(steps, wanted % page == 0))
            << blob["reason"];

        const std::byte *view = bench.view(1, 0, static_cast<uint32_t>(size / 4), 1);
        ASSERT_NE(view, nullptr);
        for (uint64_t i = 0; i < size / 4 * 4; ++i) { // whole pixels
            const Step &step = steps[i / unit];
            ASSERT_EQ(view[i], pattern(step.region->raw.id, step.offset + i % unit)) << "byte " << i;
        }
        ASSERT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
        ASSERT_EQ(bench.maps.used(), 0U);
    }
}

/// The ranges of the last VFIO export, one number for each page.
std::vector<uint64_t> exported_pages(const FakeCalls &calls)
{
    std::vector<uint64_t> pages;
    for (size_t at = sizeof(vfio_abi::DmaBufRequest); at < calls.last_argument.size(); at += 16) {
        vfio_abi::DmaRange range{};
        std::memcpy(&range, calls.last_argument.data() + at, sizeof range);
        for (uint64_t i = 0; i < range.length; i += page)
            pages.push_back(range.offset + i);
    }
    return pages;
}

TEST_P(RandomMemory, SlicesAreTheTailOfThePages)
{
    Bench vram;
    const FakeRegion &bar = vram.vmm.add_region(VRL_REGION_VFIO_BAR, region_size, "bar");
    vram.vmm.map(0, bar, 0, region_size);
    std::vector<vrl_entry> said;
    std::vector<uint64_t> pages;
    for (int i = 0; i < 8; ++i) { // not more pages than there are
        const uint64_t first = pick(30);
        const uint64_t count = 1 + pick(std::min<uint64_t>(4, 32 - first));
        said.push_back({first * page, static_cast<uint32_t>(count * page), 0});
        for (uint64_t p = first; p < first + count; ++p)
            pages.push_back(p * page);
    }
    ASSERT_EQ(vram.create(1, pages.size() * page, said), VRL_OK);
    ASSERT_EQ(exported_pages(vram.calls), pages);
    for (size_t start = 1; start < pages.size() && start <= Backing::max_slices; ++start) {
        ASSERT_GE(vram.dmabuf(1, start * page), 0);
        const std::vector<uint64_t> tail(pages.begin() + static_cast<std::ptrdiff_t>(start), pages.end());
        ASSERT_EQ(exported_pages(vram.calls), tail);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomMemory, testing::Range(1U, 41U));

} // namespace
} // namespace vramlink::test
