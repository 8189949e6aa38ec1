// SPDX-License-Identifier: GPL-2.0-or-later
//
// The guest's IOMMU driver takes the mapping of a buffer away that a viewer shows: the memory is still there,
// but no longer the device's to look at. Consumers let go before the unmap is answered.

#include "tests/device/iommu.hpp"
#include "tests/device/stage.hpp"

#include <chrono>
#include <cstdio>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = Stage::id;
constexpr std::uint64_t step = 1 << 20; ///< of the mappings, bytes
constexpr Rect whole{0, 0, Ground::width, Ground::height};

class VfioIommu : public StageTest {
  protected:
    void SetUp() override
    {
        StageTest::SetUp();
        iommu_.attach(Machine::gpu_slot);
        iommu_.map(0, Machine::ram_size, 0); // rings and commands
        map_memory();
    }
    void map_memory() { iommu_.map(stage_.memory.address, stage_.memory.size, stage_.memory.address); }

    Stage stage_{{.gpu_options = ",iommu_platform=on", .devices = Iommu::device()}};
    Iommu iommu_{stage_.machine};
};

TEST_F(VfioIommu, AnUnmapOfAShownBufferEndsIt)
{
    const Viewer viewer;
    ASSERT_TRUE(viewer.shows("neutral"));
    const Baseline baseline(stage_, viewer);
    stage_.show(paint(Ground::width, Ground::height, 1));
    ASSERT_TRUE(viewer.shows("dmabuf"));
    ASSERT_EQ(vfio_dmabufs(), 1);

    const auto start = std::chrono::steady_clock::now();
    iommu_.unmap(stage_.memory.address, stage_.memory.size);
    report_loss("vIOMMU unmap", std::chrono::steady_clock::now() - start);
    EXPECT_EQ(vfio_dmabufs(), 0) << "the unmap was answered while somebody held the memory";
    const Json blob = stage_.machine.blob(id);
    EXPECT_EQ(blob["state"], "revoked");
    EXPECT_NE(blob.value("revoked", "").find("IOMMU"), std::string::npos) << blob.dump();
    EXPECT_TRUE(viewer.shows("neutral"));
    EXPECT_EQ(stage_.machine.stats()["totals"]["held_over"], 0);
    EXPECT_STREQ(answer_name(stage_.gpu->flush(id, whole)), "ERR_INVALID_RESOURCE_ID");
    stage_.clean_up();
    baseline.expect_again(stage_, viewer);

    map_memory();
    stage_.show(paint(Ground::width, Ground::height, 2));
    EXPECT_TRUE(viewer.shows("dmabuf"));
}

/// One page of many is enough; pages of other buffers are not.
TEST_F(VfioIommu, APageOfItIsEnough)
{
    const Viewer viewer;
    const Picture picture = paint(Ground::width, Ground::height, 1);
    const std::uint64_t page_of_it = stage_.entries_of(picture)[1].addr;
    iommu_.unmap(stage_.memory.address, stage_.memory.size);
    for (std::uint64_t at = 0; at < stage_.memory.size; at += step)
        iommu_.map(stage_.memory.address + at, step, stage_.memory.address + at);
    stage_.show(picture);
    ASSERT_TRUE(viewer.shows("dmabuf"));
    iommu_.unmap(stage_.memory.address + stage_.memory.size - step, step);
    EXPECT_EQ(stage_.machine.blob(id)["state"], "backed") << "an unmap elsewhere";
    EXPECT_EQ(viewer.stats()["showing"], "dmabuf");
    iommu_.unmap(page_of_it & ~(step - 1), step);
    EXPECT_EQ(vfio_dmabufs(), 0);
    EXPECT_EQ(stage_.machine.blob(id)["state"], "revoked");
    EXPECT_TRUE(viewer.shows("neutral"));
}

} // namespace
} // namespace vramlink::test
