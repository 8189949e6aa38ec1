// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the dealer of pages promises: every page once, the same order from the same seed, no neighbours in a
// row.

#include "scatter.hpp"

#include <cerrno>
#include <set>

#include <gtest/gtest.h>

namespace vramlink::demo {
namespace {

constexpr std::uint64_t kVram = 64U << 20;
constexpr std::size_t kFullHd = 2025;

TEST(PageDealer, ThreeFullHdBuffersAreScatteredOverSinglePages)
{
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        PageDealer dealer(kVram, seed);
        std::set<std::uint64_t> seen;
        for (int buffer = 0; buffer < 3; ++buffer) {
            const auto pages = dealer.deal(kFullHd);
            ASSERT_TRUE(pages) << pages.error().text;
            ASSERT_EQ(pages->size(), kFullHd);
            for (std::size_t i = 0; i < pages->size(); ++i) {
                const std::uint64_t page = (*pages)[i];
                ASSERT_EQ(page % kPageBytes, 0U);
                ASSERT_LT(page, kVram);
                ASSERT_TRUE(seen.insert(page).second) << "page " << page << " was dealt twice";
                if (i > 0) {
                    const std::uint64_t before = (*pages)[i - 1];
                    ASSERT_NE(page, before + kPageBytes) << "seed " << seed;
                    ASSERT_NE(page + kPageBytes, before) << "seed " << seed;
                }
            }
        }
    }
}

TEST(PageDealer, TheSeedDecides)
{
    EXPECT_EQ(PageDealer(kVram, 5).deal(100).value(), PageDealer(kVram, 5).deal(100).value());
    EXPECT_NE(PageDealer(kVram, 5).deal(100).value(), PageDealer(kVram, 6).deal(100).value());
}

TEST(PageDealer, DealsTheWholeDeckAndNoMore)
{
    PageDealer dealer(16 * kPageBytes, 1);
    const auto all = dealer.deal(16);
    ASSERT_TRUE(all);
    EXPECT_EQ(std::set<std::uint64_t>(all->begin(), all->end()).size(), 16U);
    const auto more = dealer.deal(1);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code, ENOSPC);
}

TEST(CheckFit, NamesTheNumbers)
{
    EXPECT_TRUE(check_fit(kVram, 3, 1920, 1080));
    const auto refused = check_fit(kVram, 3, 3840, 2160);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text.find("99532800"), std::string::npos) << refused.error().text;
    EXPECT_NE(refused.error().text.find("67108864"), std::string::npos) << refused.error().text;
}

TEST(PagesFor, RoundsUp)
{
    EXPECT_EQ(pages_for(0), 0U);
    EXPECT_EQ(pages_for(1), 1U);
    EXPECT_EQ(pages_for(std::uint64_t{1920} * 1080 * 4), kFullHd);
}

} // namespace
} // namespace vramlink::demo
