// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the test card promises: the same picture from the same numbers, and no page that could stand for
// another.

#include "test_card.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace vramlink::demo {
namespace {

constexpr std::size_t kPagePixels = 1024;
using Pixels = std::vector<std::uint32_t>;

Pixels paint(const CardSpec &spec)
{
    const TestCard card(spec);
    Pixels pixels(std::size_t{spec.width} * spec.height);
    for (std::uint32_t y = 0; y < spec.height; ++y)
        card.paint_row(y, std::span(pixels).subspan(std::size_t{y} * spec.width, spec.width));
    return pixels;
}

std::vector<Pixels> pages_of(const Pixels &pixels)
{
    std::vector<Pixels> pages;
    for (std::size_t at = 0; at + kPagePixels <= pixels.size(); at += kPagePixels)
        pages.emplace_back(pixels.begin() + static_cast<std::ptrdiff_t>(at),
                           pixels.begin() + static_cast<std::ptrdiff_t>(at + kPagePixels));
    return pages;
}

std::size_t differing(const Pixels &a, const Pixels &b)
{
    std::size_t count = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        count += a[i] != b[i] ? 1 : 0;
    return count;
}

constexpr CardSpec kSpec{.seed = 7, .frame = 3, .width = 640, .height = 480};

TEST(TestCard, IsAPureFunction)
{
    EXPECT_EQ(paint(kSpec), paint(kSpec));
}

TEST(TestCard, LeavesXAlone)
{
    for (const std::uint32_t pixel : paint(kSpec))
        ASSERT_EQ(pixel & 0xff000000U, 0U);
}

TEST(TestCard, EveryPageChangesWithTheFrameAndWithTheSeed)
{
    const auto pages = pages_of(paint(kSpec));
    auto spec = kSpec;
    spec.frame = 4;
    const auto next = pages_of(paint(spec));
    spec = kSpec;
    spec.seed = 8;
    const auto other = pages_of(paint(spec));
    for (std::size_t i = 0; i < pages.size(); ++i) {
        EXPECT_GT(differing(pages[i], next[i]), kPagePixels * 9 / 10) << "page " << i;
        EXPECT_GT(differing(pages[i], other[i]), kPagePixels * 9 / 10) << "page " << i;
    }
}

TEST(TestCard, NoPageEqualsAnotherOneOfAnyOfTheLastFrames)
{
    std::set<Pixels> seen;
    std::size_t pages = 0;
    for (std::uint32_t frame = 1; frame <= 6; ++frame) {
        for (auto &page : pages_of(paint({.seed = 7, .frame = frame, .width = 640, .height = 480}))) {
            seen.insert(std::move(page));
            ++pages;
        }
    }
    EXPECT_EQ(seen.size(), pages);
}

TEST(TestCard, ARowShiftedByOneRunIsSeen)
{
    const TestCard card(kSpec);
    Pixels row(kSpec.width);
    for (std::uint32_t y = 0; y < kSpec.height; ++y) {
        card.paint_row(y, row);
        const Pixels left(row.begin(), row.end() - 16);
        const Pixels right(row.begin() + 16, row.end());
        EXPECT_GT(differing(left, right), left.size() / 2) << "row " << y;
    }
}

TEST(TestCard, TheFrameNumberIsLegibleInsideThePicture)
{
    const Pixels pixels = paint(kSpec);
    const auto bright = [](std::uint32_t pixel) {
        return (pixel >> 16) > 0xf0 && (pixel >> 8 & 0xff) > 0xc0;
    };
    EXPECT_GT(std::count_if(pixels.begin(), pixels.end(), bright), 1000);
}

TEST(TestCard, SmallAndOddSizesStayInside)
{
    for (const std::uint32_t width : {16U, 17U, 333U}) {
        for (const std::uint32_t height : {16U, 31U, 200U})
            EXPECT_EQ(paint({.seed = 1, .frame = 1, .width = width, .height = height}).size(),
                      std::size_t{width} * height);
    }
}

} // namespace
} // namespace vramlink::demo
