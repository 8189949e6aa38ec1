// SPDX-License-Identifier: GPL-2.0-or-later
//
// No memory: each allocation of each command fails once; the answer is OUT_OF_MEMORY and nothing has changed.
// And the hot path allocates nothing at all.

#include "tests/unit/counted_new.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vramlink::test {
namespace {

constexpr uint64_t bar_gpa = 0x8000'0000;
constexpr uint64_t size = 64 * page;

class Allocation : public testing::Test {
  protected:
    Allocation()
    {
        bench.vmm.map(bar_gpa,
                      bench.vmm.add_region(VRL_REGION_VFIO_BAR, size, "a name too long to be inline"), 0,
                      size);
        bench.vmm.log.reserve(1000);
        bench.vmm.releases.reserve(1000);
        bench.calls.last_argument.reserve(1000);
    }
    ~Allocation() override { until_failure = -1; }

    /// Runs @p command with its first, second, ... allocation failing until it needs no more than that.
    template <class Command> int fail_each(Command command)
    {
        int failed = 0;
        for (;; ++failed) {
            const size_t fds = open_fds();
            const auto before = nlohmann::json::parse(bench.stats())["totals"];
            until_failure = failed;
            const vrl_status status = command();
            const bool ran_out = until_failure < 0;
            until_failure = -1;
            if (!ran_out)
                return status == VRL_OK ? failed : -1;
            EXPECT_EQ(status, VRL_ERR_OUT_OF_MEMORY) << "allocation " << failed;
            EXPECT_EQ(open_fds(), fds);
            const auto after = nlohmann::json::parse(bench.stats())["totals"];
            for (const char *key : {"extents", "live", "tombstones", "dmabuf_fds"})
                EXPECT_EQ(after[key], before[key]) << key;
        }
    }

    Bench bench;
    const std::vector<vrl_entry> entries{{bar_gpa + 4 * page, page, 0}, {bar_gpa, page, 0}};
};

TEST_F(Allocation, EachOneInCreate)
{
    EXPECT_GT(fail_each([&] { return bench.create(1, 2 * page, entries); }), 5);
    EXPECT_TRUE(vrl_table_is_backed(bench.get(), 1));
}

TEST_F(Allocation, EachOneInAttachToATombstone)
{
    ASSERT_EQ(bench.create(1, 2 * page, entries), VRL_OK);
    vrl_table_revoke_region(bench.get(), 1, "a reason that is too long to be inline");
    EXPECT_GT(fail_each([&] {
                  EXPECT_TRUE(vrl_table_is_revoked(bench.get(), 1));
                  return bench.attach(1, entries);
              }),
              5);
    EXPECT_TRUE(vrl_table_is_backed(bench.get(), 1));
}

TEST_F(Allocation, EachOneInView)
{
    ASSERT_EQ(bench.create(1, 2 * page, entries), VRL_OK);
    for (int failed = 0; failed < 100; ++failed) {
        until_failure = failed;
        const bool made = bench.view(1, 0, 8, 8) != nullptr;
        until_failure = -1;
        if (made) {
            EXPECT_GE(failed, 1);
            return;
        }
        EXPECT_EQ(bench.maps.used(), 0U);
    }
    FAIL() << "the view was never made";
}

TEST_F(Allocation, ReleaseNeedsNone)
{
    for (uint32_t id = 1; id <= 4; ++id) {
        ASSERT_EQ(bench.create(id, 2 * page, entries), VRL_OK);
        ASSERT_NE(bench.view(id, 0, 8, 8), nullptr);
    }
    until_failure = 0;
    EXPECT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_EQ(vrl_table_unref(bench.get(), 2), VRL_OK);
    EXPECT_EQ(vrl_table_detach(bench.get(), 77), VRL_ERR_INVALID_RESOURCE_ID);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "a reason that is too long to be inline"), 2U);
    until_failure = 0;
    vrl_table_reset(bench.get());
    until_failure = -1;
    EXPECT_EQ(bench.maps.used(), 0U);
}

TEST_F(Allocation, TheHotPathNeedsNone)
{
    ASSERT_EQ(bench.create(1, 2 * page, entries), VRL_OK);
    ASSERT_EQ(bench.create(2, 2000, {{bar_gpa + 64, 1000, 0}, {bar_gpa + 5000, 1000, 0}}), VRL_OK);
    const vrl_framebuffer slice = Bench::framebuffer(page, 8, 8);
    const vrl_framebuffer copy = Bench::framebuffer(0, 10, 10);
    ASSERT_EQ(vrl_table_plan(bench.get(), 2), VRL_PLAN_COPIED);
    int first = -1;
    int again = -1;
    ASSERT_TRUE(vrl_table_dmabuf(bench.get(), 1, &slice, &first));
    ASSERT_NE(vrl_table_view(bench.get(), 1, &slice), nullptr);
    ASSERT_NE(vrl_table_view(bench.get(), 2, &copy), nullptr);
    const uint64_t before = allocations;
    for (int i = 0; i < 100; ++i) {
        vrl_table_dmabuf(bench.get(), 1, &slice, &again);
        vrl_table_view(bench.get(), 1, &slice);
        vrl_table_flush(bench.get(), 1, &slice, 0, 0, 8, 8);
        vrl_table_flush(bench.get(), 2, &copy, 0, 0, 10, 10);
        vrl_table_count(bench.get(), VRL_EVENT_FLUSH);
    }
    EXPECT_EQ(allocations, before);
    EXPECT_EQ(first, again);
}

} // namespace
} // namespace vramlink::test
