// SPDX-License-Identifier: GPL-2.0-or-later
//
// A reset by the host's root, which QEMU has no part in. Where the GPU's driver tells of revocations
// (vfio-pci-vram) it ends as any other loss does; mainline's vfio-pci neither revokes anything then nor
// tells.

#include "tests/device/stage.hpp"

#include <chrono>
#include <future>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = Stage::id;

Picture picture(std::uint32_t seed)
{
    return paint(Ground::width, Ground::height, seed);
}

class VfioHostResets : public StageTest {};

TEST_F(VfioHostResets, BehindQemusBack)
{
    Stage stage;
    const Viewer viewer;
    ASSERT_TRUE(viewer.shows("neutral"));
    const Baseline baseline(stage, viewer);
    stage.show(picture(1));
    ASSERT_TRUE(viewer.shows("dmabuf")) << viewer.stats().dump();
    (void)stage.gpu->take_events();
    auto reset = std::async(std::launch::async, NvmeGpu::reset_by_host);
    ASSERT_EQ(reset.wait_for(std::chrono::milliseconds(patience(4000))), std::future_status::ready);
    EXPECT_EQ(reset.get(), 0);
    if (!NvmeGpu::driver_tells()) {
        EXPECT_EQ(stage.machine.blob(id)["state"], "backed") << "who has told?";
        return;
    }
    EXPECT_TRUE(eventually([&] { return stage.machine.blob(id)["state"] == "revoked"; }));
    EXPECT_NE(stage.machine.blob(id).value("revoked", "").find("the kernel took"), std::string::npos)
        << stage.machine.blob(id).dump();
    EXPECT_TRUE(viewer.shows("neutral"));
    EXPECT_TRUE(eventually([&] { return stage.gpu->take_events() & VIRTIO_GPU_EVENT_DISPLAY; }));
    EXPECT_STREQ(answer_name(stage.gpu->flush(id, {0, 0, Ground::width, Ground::height})),
                 "ERR_INVALID_RESOURCE_ID");
    EXPECT_EQ(vfio_dmabufs(), 0);
    EXPECT_EQ(stage.machine.stats()["totals"]["held_over"], 0);
    EXPECT_EQ(stage.machine.stats()["totals"]["revocations"], 1);
    stage.clean_up();
    baseline.expect_again(stage, viewer);
    stage.power_up();
    stage.show(picture(2));
    EXPECT_TRUE(viewer.shows("dmabuf"));
}

} // namespace
} // namespace vramlink::test
