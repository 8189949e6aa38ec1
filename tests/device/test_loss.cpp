// SPDX-License-Identifier: GPL-2.0-or-later
//
// Everything by which a guest or its VMM takes a passthrough GPU's memory away, with a viewer on the host's
// display that shows it: consumers have let go of every dma-buf before the kernel is asked (loss_log.c
// looks), and afterwards the host holds what it held before, and the next picture is shown.

#include "tests/device/loss_ways.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = Stage::id;

class VfioLoss : public StageTest {};

class VfioLossWays : public VfioLoss, public testing::WithParamInterface<LossWay> {};

TEST_P(VfioLossWays, ConsumersLetGoBeforeTheKernelIsAsked)
{
    const LossWay &way = GetParam();
    const HostResets host_resets(way.host_resets);
    Stage &stage = Stage::shared(way.options);
    const Viewer viewer;
    ASSERT_TRUE(viewer.shows("neutral"));
    const Baseline baseline(stage, viewer);
    stage.show(paint(Ground::width, Ground::height, 1));
    EXPECT_EQ(stage.machine.blob(id)["plan"], "shared") << stage.machine.blob(id).dump();
    ASSERT_TRUE(viewer.shows("dmabuf"));
    EXPECT_GE(viewer.stats()["framebuffers_open"], 1) << viewer.stats().dump();

    NvmeGpu::configure(stage.machine, stage.registers.address);
    ASSERT_TRUE(NvmeGpu::configured(stage.machine, stage.registers.address));
    const std::size_t before = asked_of_kernel().size();
    const auto start = std::chrono::steady_clock::now();
    way.lose(stage);
    report_loss(way.name, std::chrono::steady_clock::now() - start);
    const auto lines = asked_of_kernel();
    ASSERT_GT(lines.size(), before) << "nothing was asked of the kernel";
    bool asked = false;
    for (std::size_t i = before; i < lines.size(); i++) {
        EXPECT_EQ(lines[i].dmabufs, 0) << lines[i].what;
        asked |= lines[i].what.starts_with(way.asked);
    }
    EXPECT_TRUE(asked) << way.asked << ", but " << lines.back().what;
    if (way.resets) {
        EXPECT_FALSE(NvmeGpu::configured(stage.machine, stage.registers.address)) << "it was not reset";
    }
    EXPECT_TRUE(viewer.shows("neutral"));
    EXPECT_EQ(stage.machine.held().vfio_dmabufs, 0);
    EXPECT_EQ(held_by(viewer.pid()).vfio_dmabufs, 0);
    const Json blob = stage.machine.blob(id);
    if (way.why) {
        EXPECT_EQ(blob["state"], "revoked");
        EXPECT_NE(blob.value("revoked", "").find(way.why), std::string::npos) << blob.dump();
        EXPECT_STREQ(answer_name(stage.gpu->flush(id, {0, 0, Ground::width, Ground::height})),
                     "ERR_INVALID_RESOURCE_ID")
            << "what is in the memory now is not to be shown";
        stage.clean_up();
    } else {
        EXPECT_TRUE(blob.is_null()) << blob.dump();
        stage.gpu = std::make_unique<Gpu>(stage.machine);
    }
    EXPECT_EQ(stage.counted("held_over"), 0);
    baseline.expect_again(stage, viewer);

    stage.power_up();
    stage.show(paint(Ground::width, Ground::height, 2));
    EXPECT_TRUE(viewer.shows("dmabuf"));
}

INSTANTIATE_TEST_SUITE_P(Vfio, VfioLossWays, testing::ValuesIn(loss_ways()),
                         [](const auto &row) { return std::string(row.param.name); });

/// The guest hands the device back; QEMU closes it. The viewer's import must not keep it.
TEST_F(VfioLoss, Unplug)
{
    Stage stage;
    const Viewer viewer;
    stage.show(paint(Ground::width, Ground::height, 1));
    ASSERT_TRUE(viewer.shows("dmabuf"));
    stage.machine.qmp({{"execute", "device_del"}, {"arguments", {{"id", "gpu"}}}});
    EXPECT_EQ(stage.machine.blob(id)["state"], "backed") << "the guest has not agreed yet";
    EXPECT_TRUE(viewer.shows("dmabuf"));
    const auto start = std::chrono::steady_clock::now();
    vm_pci_eject(stage.machine.raw(), Stage::slot);
    vm_wait_event(stage.machine.raw(), "DEVICE_DELETED");
    report_loss("Unplug", std::chrono::steady_clock::now() - start);
    EXPECT_EQ(stage.machine.blob(id)["state"], "revoked");
    EXPECT_NE(stage.machine.blob(id).value("revoked", "").find("unplugged"), std::string::npos);
    EXPECT_TRUE(viewer.shows("neutral"));
    EXPECT_EQ(held_by(viewer.pid()).vfio_dmabufs, 0);
    EXPECT_EQ(stage.machine.stats()["totals"]["held_over"], 0);
    EXPECT_TRUE(eventually([&] {
        return std::ranges::none_of(stage.machine.held().targets, [](const auto &target) {
            return target.find("vfio-device") != std::string::npos;
        });
    })) << "the device is still open";
}

/// A consumer that is stopped costs the guest a bounded time, once: the loss goes through, and it is cut
/// off. When it runs again it comes back.
TEST_F(VfioLoss, AStoppedViewerIsCutOffAfterABoundedTime)
{
    Stage stage({.let_go_ms = 500});
    const Viewer viewer;
    ASSERT_TRUE(viewer.shows("neutral"));
    const Baseline baseline(stage, viewer);
    stage.show(paint(Ground::width, Ground::height, 1));
    ASSERT_TRUE(viewer.shows("dmabuf"));
    ASSERT_EQ(kill(viewer.pid(), SIGSTOP), 0);
    const auto start = std::chrono::steady_clock::now();
    stage.decode(false);
    report_loss("MemoryDecodingOff, with a viewer that is stopped", std::chrono::steady_clock::now() - start);
    EXPECT_EQ(stage.machine.blob(id)["state"], "revoked");
    EXPECT_EQ(stage.machine.stats()["totals"]["held_over"], 1);
    EXPECT_EQ(stage.machine.stats()["totals"]["cut_off"], 1);
    const std::string messages = stage.machine.new_messages();
    EXPECT_NE(messages.find("still holds its dma-buf after 500 ms"), std::string::npos) << messages;
    EXPECT_NE(messages.find("the display of process " + std::to_string(viewer.pid()) + " is cut off"),
              std::string::npos)
        << messages;
    stage.decode(true);
    stage.clean_up();
    stage.show(paint(Ground::width, Ground::height, 2));
    stage.decode(false);
    EXPECT_EQ(stage.machine.stats()["totals"]["held_over"], 1) << "nobody hands it anything any more";
    stage.decode(true);
    stage.clean_up();

    ASSERT_EQ(kill(viewer.pid(), SIGCONT), 0);
    EXPECT_TRUE(eventually([&] { return viewer.stats().value("times_connected", 0) == 2; }))
        << viewer.stats().dump();
    EXPECT_TRUE(viewer.shows("neutral"));
    baseline.expect_again(stage, viewer);
    stage.show(paint(Ground::width, Ground::height, 3));
    EXPECT_TRUE(viewer.shows("dmabuf"));
}

} // namespace
} // namespace vramlink::test
