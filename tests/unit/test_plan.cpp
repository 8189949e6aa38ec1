// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which plan which memory gets, and the reason in words.

#include "hw/blob/plan.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace vramlink {
namespace {

constexpr uint64_t page = 4096;
std::byte host_memory{};

enum Which { Bar0, Bar1, Memfd0, Memfd1, Private, Odd };

std::shared_ptr<const Region> region(Which which)
{
    const auto make = [](uint64_t id, RegionKind kind, int fd, std::byte *host, const char *name,
                         uint64_t map_offset = 0) {
        return std::make_shared<const Region>(Region{id, kind, fd, 0, 1ULL << 40, map_offset, host, name});
    };
    static const std::array regions{
        make(1, RegionKind::VfioBar, 3, nullptr, "bar0"),
        make(2, RegionKind::VfioBar, 4, nullptr, "bar1"),
        make(3, RegionKind::SharedRam, 5, &host_memory, "memfd0"),
        make(4, RegionKind::SharedRam, 6, &host_memory, "memfd1"),
        make(5, RegionKind::PrivateRam, -1, &host_memory, "private"),
        make(6, RegionKind::SharedRam, 7, nullptr, "odd", 512),
    };
    return regions.at(which);
}

struct Piece {
    Which region;
    uint64_t offset, length;
};

struct Case {
    const char *name;
    std::vector<Piece> pieces;
    ShareBy share;
    ViewBy view;
    const char *words;
};

void PrintTo(const Case &row, std::ostream *out)
{
    *out << row.name;
}

class PlanTable : public testing::TestWithParam<Case> {};

TEST_P(PlanTable, Chooses)
{
    ExtentList memory;
    for (const Piece &piece : GetParam().pieces)
        memory.append(region(piece.region), piece.offset, piece.length);
    const PlanChoice choice = choose_plan(memory);
    EXPECT_EQ(choice.share, GetParam().share);
    EXPECT_EQ(choice.view, GetParam().view);
    EXPECT_NE(choice.reason.find(GetParam().words), std::string::npos) << choice.reason;
}

INSTANTIATE_TEST_SUITE_P(
    Rules, PlanTable,
    testing::Values(
        Case{"one_bar",
             {{Bar0, 0, page}, {Bar0, 8 * page, page}},
             ShareBy::Vfio,
             ViewBy::Mapped,
             "2 ranges of bar0"},
        Case{"two_bars",
             {{Bar0, 0, page}, {Bar1, 0, page}},
             ShareBy::None,
             ViewBy::Mapped,
             "several BARs (bar0, bar1)"},
        Case{"memfds",
             {{Memfd0, 0, page}, {Memfd1, 0, page}},
             ShareBy::Udmabuf,
             ViewBy::Mapped,
             "memfd0, memfd1"},
        Case{"one_extent_of_ram",
             {{Memfd0, 0, 4 * page}},
             ShareBy::Udmabuf,
             ViewBy::Direct,
             "1 ranges of memfd0"},
        Case{"mixture", {{Bar0, 0, page}, {Memfd0, 0, page}}, ShareBy::None, ViewBy::Mapped, "several kinds"},
        Case{"private_direct", {{Private, 100, 50}}, ShareBy::None, ViewBy::Direct, "page aligned"},
        Case{"private_aligned", {{Private, 0, page}}, ShareBy::None, ViewBy::Direct, "private to the VMM"},
        Case{"private_scattered",
             {{Private, 0, page}, {Private, 8 * page, page}},
             ShareBy::None,
             ViewBy::Copied,
             "private is private to the VMM"},
        Case{"private_mixture",
             {{Private, 0, page}, {Bar0, 0, page}},
             ShareBy::None,
             ViewBy::Copied,
             "several kinds"},
        Case{"unaligned_start",
             {{Bar0, 64, page}},
             ShareBy::None,
             ViewBy::Copied,
             "the piece at 0x40 of bar0"},
        Case{"unaligned_middle",
             {{Bar0, 0, 100}, {Bar0, page, page}},
             ShareBy::None,
             ViewBy::Copied,
             "the piece at 0x0 of bar0"},
        Case{"unaligned_end",
             {{Bar0, page, page}, {Bar0, 0, 100}},
             ShareBy::None,
             ViewBy::Mapped,
             "ends inside a page, after 4196 bytes"},
        Case{"unaligned_in_the_file",
             {{Odd, 0, page}, {Odd, 4 * page, page}},
             ShareBy::None,
             ViewBy::Copied,
             "of odd is not page aligned"},
        Case{"aligned_in_the_file",
             {{Odd, page - 512, page}, {Odd, 4 * page - 512, page}},
             ShareBy::Udmabuf,
             ViewBy::Mapped,
             "2 ranges of odd"}),
    [](const auto &row) { return std::string(row.param.name); });

TEST(ExtentList, MergesNeighboursOfOneRegionOnly)
{
    ExtentList memory;
    memory.append(region(Bar0), 0, page);
    memory.append(region(Bar0), page, page);     // touches
    memory.append(region(Bar1), 2 * page, page); // another BAR
    memory.append(region(Bar0), 2 * page, page); // touches, but not its predecessor
    memory.append(region(Bar0), 2 * page, page); // the same again: no neighbour
    memory.append(region(Bar0), page, page);     // backwards
    ASSERT_EQ(memory.extents().size(), 5U);
    EXPECT_EQ(memory.extents()[0].length, 2 * page);
    EXPECT_EQ(memory.length(), 6 * page);
    EXPECT_EQ(memory.regions().size(), 2U);
    EXPECT_TRUE(memory.touches(1) && memory.touches(2));
    EXPECT_FALSE(memory.touches(3));
}

TEST(ExtentList, KnowsTheRegionOfEachExtent)
{
    ExtentList memory;
    const std::vector<Which> regions{Bar0, Bar0, Bar1, Bar0, Bar1, Bar1};
    for (size_t i = 0; i < regions.size(); ++i)
        memory.append(region(regions[i]), 2 * i * page, page);
    memory.shrink_to_fit();
    size_t i = 0;
    for (const Extent extent : memory.extents()) {
        EXPECT_EQ(extent.offset, 2 * i * page);
        EXPECT_EQ(memory.region_of(extent).id, region(regions[i])->id);
        EXPECT_EQ(memory.extents()[i].region, extent.region);
        ++i;
    }
    EXPECT_EQ(i, regions.size());
    {
        const ExtentList::Writer nothing(memory, region(Bar0), 3); // adds nothing, leaves nothing
    }
    EXPECT_EQ(memory.extents()[5].region, memory.extents()[4].region);
}

TEST(ExtentList, MergesAcrossWriters)
{
    ExtentList memory;
    memory.append(region(Bar0), 0, page);
    {
        ExtentList::Writer writer(memory, region(Bar0), 3);
        writer.add(page, page);
        writer.add(2 * page, page);
        writer.add(4 * page, page);
    }
    ASSERT_EQ(memory.extents().size(), 2U);
    EXPECT_EQ(memory.extents()[0].length, 3 * page);
    EXPECT_EQ(memory.length(), 4 * page);
    EXPECT_TRUE(memory.surely_aligned(page));
    memory.append(region(Bar0), 5 * page, 512);
    EXPECT_FALSE(memory.surely_aligned(page));
    EXPECT_TRUE(memory.surely_aligned(512));
}

TEST(ExtentList, TailStartsInsideAnExtent)
{
    ExtentList memory;
    memory.append(region(Bar0), 10 * page, 2 * page);
    memory.append(region(Bar0), 20 * page, 3 * page);
    EXPECT_EQ(ExtentTail(memory, 0).size(), 2U);
    EXPECT_EQ(ExtentTail(memory, 2 * page).size(), 1U);
    EXPECT_EQ(ExtentTail(memory, 2 * page)[0].offset, 20 * page);
    const ExtentTail tail(memory, 3 * page);
    ASSERT_EQ(tail.size(), 1U);
    EXPECT_EQ(tail[0].offset, 21 * page);
    EXPECT_EQ(tail[0].length, 2 * page);
}

} // namespace
} // namespace vramlink
