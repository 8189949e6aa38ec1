// SPDX-License-Identifier: GPL-2.0-or-later
//
// Unbacked <-> Backed -> Revoked -> gone: each answer, the order of release, and random orders against a
// model.

#include "tests/unit/fake_vmm.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <random>

namespace vramlink::test {
namespace {

constexpr uint64_t size = 64 * page;

class Lifecycle : public testing::Test {
  protected:
    Lifecycle() { bench.map_bars(3, size); }
    vrl_status create(uint32_t id, uint64_t region = 1)
    {
        return bench.create(id, 2 * page, {{gpa_of(region) + 4 * page, page, 0}, {gpa_of(region), page, 0}});
    }
    vrl_status attach(uint32_t id, uint64_t region)
    {
        return bench.attach(id, {{gpa_of(region) + 4 * page, page, 0}, {gpa_of(region), page, 0}});
    }
    vrl_status scanout(uint32_t id)
    {
        vrl_framebuffer_request request{};
        request.layout = vrl_layout_packed(0);
        request.width = request.height = request.rect_width = request.rect_height = 8;
        request.stride[0] = 32;
        vrl_framebuffer fb{};
        return vrl_framebuffer_init(bench.get(), id, &request, &fb);
    }
    [[nodiscard]] nlohmann::json stats() const { return nlohmann::json::parse(bench.stats()); }

    Bench bench;
};

TEST_F(Lifecycle, UnknownIds)
{
    EXPECT_EQ(attach(1, 1), VRL_ERR_INVALID_RESOURCE_ID);
    EXPECT_EQ(vrl_table_detach(bench.get(), 1), VRL_ERR_INVALID_RESOURCE_ID);
    EXPECT_EQ(vrl_table_unref(bench.get(), 1), VRL_ERR_INVALID_RESOURCE_ID);
    EXPECT_EQ(scanout(1), VRL_ERR_INVALID_RESOURCE_ID);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_NONE);
    EXPECT_EQ(bench.dmabuf(1, 0), -1);
}

TEST_F(Lifecycle, DetachLetsGoAtOnceAndAttachComesBack)
{
    ASSERT_EQ(create(1), VRL_OK);
    EXPECT_EQ(attach(1, 2), VRL_ERR_UNSPEC) << "it has backing";
    EXPECT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_FALSE(vrl_table_is_backed(bench.get(), 1));
    EXPECT_FALSE(vrl_table_is_revoked(bench.get(), 1));
    EXPECT_EQ(vrl_table_detach(bench.get(), 1), VRL_ERR_UNSPEC);
    EXPECT_EQ(scanout(1), VRL_OK) << "a blob without backing may be set as scanout";
    EXPECT_EQ(bench.view(1, 0, 8, 8), nullptr);
    EXPECT_EQ(attach(1, 2), VRL_OK);
    ASSERT_NE(bench.view(1, 0, 8, 8), nullptr);
    EXPECT_EQ(*bench.view(1, 0, 8, 8), pattern(2, 4 * page)) << "the new memory";
    ASSERT_EQ(bench.vmm.releases.size(), 1U);
    EXPECT_FALSE(bench.vmm.releases[0].revoked);
}

TEST_F(Lifecycle, AttachChecksLikeCreateAndLeavesTheBlobAsItWas)
{
    ASSERT_EQ(create(1), VRL_OK);
    ASSERT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_EQ(bench.attach(1, {{gpa_of(1), page, 0}}), VRL_ERR_INVALID_PARAMETER) << "too short";
    EXPECT_EQ(bench.attach(1, {}), VRL_ERR_INVALID_PARAMETER);
    EXPECT_EQ(stats()["blobs"][0]["state"], "unbacked");
    EXPECT_EQ(attach(1, 1), VRL_OK);
}

TEST_F(Lifecycle, ConsumersLetGoThenFdsCloseThenViewsUnmap)
{
    ASSERT_EQ(create(1), VRL_OK);
    const int fd = bench.dmabuf(1, 0);
    const int slice = bench.dmabuf(1, page);
    const std::byte *view = bench.view(1, 0, 8, 8);
    ASSERT_TRUE(fd >= 0 && slice >= 0 && view != nullptr);
    bench.vmm.on_release = [&](uint32_t id) {
        EXPECT_TRUE(vrl_table_has(bench.get(), id));
        EXPECT_GE(::fcntl(fd, F_GETFD), 0);
        EXPECT_GE(::fcntl(slice, F_GETFD), 0);
        EXPECT_EQ(view[0], pattern(1, 4 * page));
    };
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "the BAR left"), 1U);
    EXPECT_EQ(bench.vmm.releases.size(), 1U);
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
    EXPECT_EQ(::fcntl(slice, F_GETFD), -1);
    EXPECT_EQ(bench.maps.used(), 0U);
}

TEST_F(Lifecycle, RevocationLeavesATombstone)
{
    ASSERT_EQ(create(1, 1), VRL_OK);
    ASSERT_EQ(create(2, 2), VRL_OK);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "the BAR left"), 1U);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "the BAR left"), 0U) << "nothing is left to revoke";
    ASSERT_EQ(bench.vmm.releases.size(), 1U);
    EXPECT_EQ(bench.vmm.releases[0].id, 1U);
    EXPECT_TRUE(bench.vmm.releases[0].revoked);
    EXPECT_TRUE(vrl_table_has(bench.get(), 1) && vrl_table_is_revoked(bench.get(), 1));
    EXPECT_TRUE(vrl_table_is_backed(bench.get(), 2)) << "in another region";
    EXPECT_EQ(scanout(1), VRL_ERR_INVALID_RESOURCE_ID);
    EXPECT_TRUE(bench.vmm.logged("the BAR left"));
    EXPECT_EQ(bench.dmabuf(1, 0), -1);
    EXPECT_EQ(bench.view(1, 0, 8, 8), nullptr);
    EXPECT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    EXPECT_TRUE(vrl_table_is_revoked(bench.get(), 1)) << "known until unref";
    EXPECT_EQ(create(1, 2), VRL_ERR_INVALID_RESOURCE_ID) << "the id is in use";
    EXPECT_EQ(stats()["totals"]["tombstones"], 1);
    EXPECT_EQ(attach(1, 3), VRL_OK);
    EXPECT_TRUE(vrl_table_is_backed(bench.get(), 1));
    EXPECT_EQ(scanout(1), VRL_OK);
    EXPECT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    EXPECT_FALSE(vrl_table_has(bench.get(), 1));
}

TEST_F(Lifecycle, ABlobInTwoRegionsGoesWithEither)
{
    ASSERT_EQ(bench.create(1, 2 * page, {{gpa_of(1), page, 0}, {gpa_of(2), page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 3, "x"), 0U);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 2, "x"), 1U);
}

TEST_F(Lifecycle, ARegionIsForgottenWithItsLastBlob)
{
    ASSERT_EQ(create(1), VRL_OK);
    EXPECT_EQ(vrl_table_revoke_region(bench.get(), 1, "unplugged"), 1U);
    ASSERT_EQ(vrl_table_unref(bench.get(), 1), VRL_OK);
    bench.calls.ioctls = 0;
    ASSERT_EQ(create(2), VRL_OK);
    EXPECT_EQ(bench.calls.ioctls, 1);
    EXPECT_EQ(vrl_table_plan(bench.get(), 2), VRL_PLAN_SHARED);
}

TEST_F(Lifecycle, ResetForgetsBlobsAndKeepsCounters)
{
    ASSERT_EQ(create(1), VRL_OK);
    ASSERT_EQ(create(2), VRL_OK);
    ASSERT_EQ(vrl_table_detach(bench.get(), 2), VRL_OK);
    vrl_table_count(bench.get(), VRL_EVENT_FLIP);
    vrl_table_count(bench.get(), VRL_EVENT_FLUSH);
    vrl_table_count_error(bench.get(), VRL_ERR_INVALID_PARAMETER);
    bench.vmm.releases.clear();
    vrl_table_reset(bench.get());
    ASSERT_EQ(bench.vmm.releases.size(), 1U) << "only what was backed";
    EXPECT_EQ(bench.vmm.releases[0].id, 1U);
    const auto all = stats();
    EXPECT_EQ(all["blobs"].size(), 0U);
    EXPECT_EQ(all["history"].size(), 2U);
    for (const char *counter : {"flips", "flushes", "command_errors"})
        EXPECT_EQ(all["totals"][counter], 1) << counter;
    EXPECT_EQ(all["totals"]["exports"], 2);
}

TEST_F(Lifecycle, FreeReleasesEverything)
{
    const size_t fds = open_fds();
    ASSERT_EQ(create(1), VRL_OK);
    ASSERT_NE(bench.view(1, 0, 8, 8), nullptr);
    EXPECT_EQ(open_fds(), fds + 1);
    bench.free_table();
    EXPECT_EQ(bench.vmm.releases.size(), 1U);
    EXPECT_EQ(open_fds(), fds);
    EXPECT_EQ(bench.maps.used(), 0U);
}

TEST_F(Lifecycle, HistoryKeepsTheLast64)
{
    for (uint32_t id = 1; id <= 100; ++id) {
        ASSERT_EQ(create(id), VRL_OK);
        ASSERT_EQ(vrl_table_unref(bench.get(), id), VRL_OK);
    }
    const auto history = stats()["history"];
    ASSERT_EQ(history.size(), 64U);
    EXPECT_EQ(history.front()["id"], 37);
    EXPECT_EQ(history.back()["id"], 100);
    EXPECT_EQ(history.back()["plan"], "shared");
    EXPECT_EQ(history.back()["ranges"], 2);
    EXPECT_EQ(history.back()["region"], "bar 1");
}

/// What the table should answer, in a map.
struct Model {
    struct Entry {
        State state;
        uint64_t region;
        bool viewed;
    };
    std::map<uint32_t, Entry> blobs;
    size_t releases = 0;

    void leave(Entry &entry, State next)
    {
        releases += entry.state == State::Backed ? 1 : 0;
        entry.state = next;
        entry.viewed = false;
    }
    [[nodiscard]] size_t backed() const
    {
        return static_cast<size_t>(std::count_if(blobs.begin(), blobs.end(), [](const auto &entry) {
            return entry.second.state == State::Backed;
        }));
    }
    [[nodiscard]] uint64_t vmas() const
    {
        uint64_t count = 0;
        for (const auto &[id, entry] : blobs)
            count += entry.viewed ? 3 : 0; // of the first page: its extent, the slack, the guard page
        return count;
    }
};

class RandomOrders : public Lifecycle, public testing::WithParamInterface<unsigned> {
  protected:
    void step(uint32_t id, uint64_t region, unsigned what);
    void check(size_t fds_before) const;

    Model model;
};

void RandomOrders::step(uint32_t id, uint64_t region, unsigned what)
{
    const auto found = model.blobs.find(id);
    const bool known = found != model.blobs.end();
    const bool is_backed = known && found->second.state == State::Backed;
    switch (what) {
    case 0:
        EXPECT_EQ(create(id, region), known ? VRL_ERR_INVALID_RESOURCE_ID : VRL_OK);
        model.blobs.try_emplace(id, Model::Entry{State::Backed, region, false});
        break;
    case 1:
        EXPECT_EQ(attach(id, region), !known      ? VRL_ERR_INVALID_RESOURCE_ID
                                      : is_backed ? VRL_ERR_UNSPEC
                                                  : VRL_OK);
        if (known && !is_backed)
            found->second = {State::Backed, region, false};
        break;
    case 2:
        EXPECT_EQ(vrl_table_detach(bench.get(), id), !known ? VRL_ERR_INVALID_RESOURCE_ID
                                                     : found->second.state == State::Unbacked ? VRL_ERR_UNSPEC
                                                                                              : VRL_OK);
        if (is_backed)
            model.leave(found->second, State::Unbacked);
        break;
    case 3:
        EXPECT_EQ(vrl_table_unref(bench.get(), id), known ? VRL_OK : VRL_ERR_INVALID_RESOURCE_ID);
        if (known) {
            model.leave(found->second, State::Gone);
            model.blobs.erase(found);
        }
        break;
    case 4: {
        uint32_t expected = 0;
        for (auto &[other, entry] : model.blobs)
            if (entry.state == State::Backed && entry.region == region) {
                model.leave(entry, State::Revoked);
                ++expected;
            }
        EXPECT_EQ(vrl_table_revoke_region(bench.get(), region, "test"), expected);
        break;
    }
    case 5:
        EXPECT_EQ(bench.dmabuf(id, 0) >= 0, is_backed);
        break;
    default: {
        const std::byte *view = bench.view(id, 0, 8, 8);
        ASSERT_EQ(view != nullptr, is_backed);
        if (is_backed) {
            EXPECT_EQ(*view, pattern(found->second.region, 4 * page));
            found->second.viewed = true;
        }
    }
    }
}

void RandomOrders::check(size_t fds_before) const
{
    ASSERT_EQ(open_fds(), fds_before + model.backed()) << "one dma-buf for each blob with backing";
    ASSERT_EQ(bench.maps.used(), model.vmas());
    ASSERT_EQ(bench.vmm.releases.size(), model.releases);
    for (uint32_t id = 1; id <= 6; ++id) {
        const auto found = model.blobs.find(id);
        const State state = found != model.blobs.end() ? found->second.state : State::Gone;
        ASSERT_EQ(vrl_table_has(bench.get(), id), state != State::Gone);
        ASSERT_EQ(vrl_table_is_backed(bench.get(), id), state == State::Backed);
        ASSERT_EQ(vrl_table_is_revoked(bench.get(), id), state == State::Revoked);
    }
}

TEST_P(RandomOrders, AnswerAsTheModelDoes)
{
    std::mt19937 random(GetParam());
    const size_t fds = open_fds();
    for (int i = 0; i < 600; ++i) {
        step(static_cast<uint32_t>(1 + random() % 6), 1 + random() % 3, static_cast<unsigned>(random() % 7));
        check(fds);
        if (HasFatalFailure())
            FAIL() << "at step " << i;
    }
    vrl_table_reset(bench.get());
    EXPECT_EQ(open_fds(), fds);
    EXPECT_EQ(bench.maps.used(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomOrders, testing::Range(1U, 9U));

} // namespace
} // namespace vramlink::test
