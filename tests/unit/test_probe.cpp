// SPDX-License-Identifier: GPL-2.0-or-later
//
// "Can this GPU take this buffer?", with a DRM device that answers as drivers do.

#include "hw/prime/prime_probe.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>

namespace vramlink::test {
namespace {

constexpr const char *node = "/dev/dri/renderD128";
constexpr uint64_t bar_gpa = 0x80000000;
constexpr uint64_t bar_size = 16 * page;

/// A table on a host whose GPU was named for the probe.
class Probe : public testing::Test {
  protected:
    Probe()
    {
        bench.vmm.map(bar_gpa, bar, 0, bar_size);
        char *error = nullptr;
        EXPECT_TRUE(vrl_table_probe_with(bench.get(), node, &error));
        EXPECT_EQ(error, nullptr);
    }
    vrl_plan create(uint32_t id)
    {
        EXPECT_EQ(bench.create(id, page, {{bar_gpa, page, 0}}), VRL_OK) << "a blob is never refused for that";
        return vrl_table_plan(bench.get(), id);
    }
    std::string reason(uint32_t id)
    {
        const auto stats = nlohmann::json::parse(bench.stats());
        for (const auto &blob : stats["blobs"])
            if (blob["id"] == id)
                return blob["reason"];
        return "";
    }

    Bench bench;
    FakeRegion &bar = bench.vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "bar");
};

TEST_F(Probe, ABufferThatCanBeImportedIsShared)
{
    EXPECT_EQ(create(1), VRL_PLAN_SHARED);
    EXPECT_EQ(bench.calls.prime_imports, 1);
    EXPECT_EQ(bench.calls.gem_handles, 0) << "the import was not let go";
}

TEST_F(Probe, AnExporterIsAskedAboutOnce)
{
    create(1);
    create(2);
    EXPECT_EQ(bench.calls.prime_imports, 1);
    FakeRegion &other = bench.vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "other");
    bench.vmm.map(bar_gpa + bar_size, other, 0, bar_size);
    ASSERT_EQ(bench.create(3, page, {{bar_gpa + bar_size, page, 0}}), VRL_OK);
    EXPECT_EQ(bench.calls.prime_imports, 2);
}

TEST_F(Probe, ADriverThatTakesNoPeerMemoryMeansMapped)
{
    const size_t fds = open_fds();
    bench.calls.prime_errno = EOPNOTSUPP;
    EXPECT_EQ(create(1), VRL_PLAN_MAPPED);
    EXPECT_EQ(bench.dmabuf(1, 0), -1);
    EXPECT_EQ(open_fds(), fds) << "the dma-buf is still open";
    for (const char *part : {node, "EOPNOTSUPP", "virtio-gpu, xe and amdgpu"})
        EXPECT_NE(reason(1).find(part), std::string::npos) << part << " in " << reason(1);
    EXPECT_TRUE(bench.vmm.logged("EOPNOTSUPP"));
    EXPECT_EQ(*bench.view(1, 0, 1, 1), pattern(1, 0)) << "the picture is there all the same";
    bench.calls.prime_errno = 0;
    EXPECT_EQ(create(2), VRL_PLAN_MAPPED) << "the answer was about the devices";
    EXPECT_EQ(bench.calls.prime_imports, 1);
}

TEST_F(Probe, AnAnswerAboutOneBufferIsNotKept)
{
    bench.calls.prime_errno = ENODEV;
    EXPECT_EQ(create(1), VRL_PLAN_MAPPED);
    bench.calls.prime_errno = 0;
    EXPECT_EQ(create(2), VRL_PLAN_SHARED);
    ASSERT_EQ(vrl_table_detach(bench.get(), 1), VRL_OK);
    ASSERT_EQ(bench.attach(1, {{bar_gpa, page, 0}}), VRL_OK);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_SHARED) << "new backing is a new start";
}

TEST(ProbeNode, ThatCannotBeOpenedIsNamed)
{
    Bench bench;
    bench.calls.open_errno = ENOENT;
    char *error = nullptr;
    EXPECT_FALSE(vrl_table_probe_with(bench.get(), node, &error));
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(std::string(error), std::string(node) + " cannot be opened (ENOENT)");
    std::free(error);
}

TEST(Unshare, ConsumersLetGoBeforeTheDmabufIsClosed)
{
    Bench bench;
    bench.vmm.map(bar_gpa, bench.vmm.add_region(VRL_REGION_VFIO_BAR, bar_size, "bar"), 0, bar_size);
    ASSERT_EQ(bench.create(1, page, {{bar_gpa, page, 0}}), VRL_OK);
    const size_t fds = open_fds();
    size_t seen = 0;
    bench.vmm.on_release = [&](uint32_t) { seen = open_fds(); };
    vrl_table_unshare(bench.get(), 1, "no EGL image");
    EXPECT_EQ(seen, fds);
    EXPECT_EQ(open_fds(), fds - 1);
    ASSERT_EQ(bench.vmm.releases.size(), 1U);
    EXPECT_FALSE(bench.vmm.releases[0].revoked);
    EXPECT_EQ(vrl_table_plan(bench.get(), 1), VRL_PLAN_MAPPED);
    EXPECT_NE(bench.stats().find("no EGL image"), std::string::npos);
    vrl_table_unshare(bench.get(), 2, "unknown"); // nothing to do, nothing happens
    EXPECT_EQ(bench.vmm.releases.size(), 1U);
}

} // namespace
} // namespace vramlink::test
