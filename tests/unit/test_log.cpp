// SPDX-License-Identifier: GPL-2.0-or-later
//
// The rate limit: a guest's flood of mistakes is a trickle of sentences.

#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>

namespace vramlink::test {
namespace {

class RateLimit : public testing::Test {
  protected:
    void flood(int times)
    {
        for (int i = 0; i < times; ++i)
            vrl_table_log(bench.get(), VRL_LOG_GUEST, "mistake");
    }
    Bench bench;
};

TEST_F(RateLimit, PassesABurstThenNothing)
{
    flood(1000);
    EXPECT_EQ(bench.vmm.log.size(), TokenBucket::burst);
}

TEST_F(RateLimit, SaysHowManyWereLeftOut)
{
    flood(1000);
    bench.clock.time += TokenBucket::refill;
    flood(2);
    ASSERT_EQ(bench.vmm.log.size(), TokenBucket::burst + 1);
    EXPECT_EQ(bench.vmm.log.back().text, "mistake (990 sentences left out before this one)");
}

TEST_F(RateLimit, AGuestDoesNotHideTheHost)
{
    flood(1000);
    vrl_table_log(bench.get(), VRL_LOG_HOST, "no memory");
    EXPECT_EQ(bench.vmm.log.back().text, "no memory");
    EXPECT_EQ(bench.vmm.log.back().level, VRL_LOG_HOST);
}

TEST_F(RateLimit, ALongSilenceEarnsOneBurst)
{
    flood(1000);
    bench.clock.time += std::chrono::hours(1000);
    flood(1000);
    EXPECT_EQ(bench.vmm.log.size(), 2 * TokenBucket::burst);
}

TEST_F(RateLimit, HalfTokensAreNotLost)
{
    flood(1000);
    for (int i = 0; i < 4; ++i) {
        bench.clock.time += TokenBucket::refill / 2;
        flood(1);
    }
    EXPECT_EQ(bench.vmm.log.size(), TokenBucket::burst + 2);
}

} // namespace
} // namespace vramlink::test
