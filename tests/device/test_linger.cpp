// SPDX-License-Identifier: GPL-2.0-or-later
//
// The guest takes its buffer back before the GPU's memory goes, as Linux's virtio-gpu does, while the viewer
// is stopped and still holds the dma-buf. The dma-buf lingers, and each loss waits for it and cuts off as it
// does for a blob (docs/revocation.md).

#include "tests/device/loss_ways.hpp"
#include "tests/device/repeat.hpp"

#include <chrono>
#include <csignal>
#include <string_view>
#include <thread>

namespace vramlink::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t id = Stage::id;

class VfioLinger : public StageTest, public testing::WithParamInterface<LossWay> {
  protected:
    /// The lazy importer unmaps when its handles are closed, as xe does, and not when the kernel says so.
    static std::vector<std::string> lazy()
    {
        return {"LD_PRELOAD=" + lazy_library(), "VRAMLINK_TEST_IMPORTER=" + Viewer::display_gpu()};
    }
    static Stage::Options options(unsigned let_go_ms)
    {
        Stage::Options options = GetParam().options;
        options.let_go_ms = let_go_ms;
        options.gpu_options = ",still-ms=0"; // nothing but the buffer itself
        return options;
    }
    /// The viewer shows a blob, is stopped, and the guest takes the blob away.
    static void take_back(Stage &stage, const Viewer &viewer)
    {
        stage.show(paint(Ground::width, Ground::height, 1));
        ASSERT_TRUE(viewer.shows("dmabuf")) << viewer.stats().dump();
        ASSERT_EQ(kill(viewer.pid(), SIGSTOP), 0);
        ASSERT_STREQ(answer_name(stage.gpu->detach(id)), "OK");
        ASSERT_STREQ(answer_name(stage.gpu->unref(id)), "OK");
        const Json totals = stage.machine.stats()["totals"];
        ASSERT_EQ(totals["lingering"], 1) << totals.dump();
        ASSERT_EQ(stage.counted("held_over"), 0) << totals.dump();
    }
};

class VfioLingerOn : public VfioLinger {};

/// Who is cut off, and when, is the same in all ways that the device sees in the same place: one of each, and
/// all in the long run.
std::vector<LossWay> ways_of_each_kind()
{
    std::vector<LossWay> chosen;
    for (const LossWay &way : loss_ways()) {
        const std::string_view name = way.name;
        if (is_long_run() || name == "MemoryDecodingOff" || name == "FunctionLevelReset" ||
            name == "MachineReset" || name == "SecondaryBusReset")
            chosen.push_back(way);
    }
    return chosen;
}

class VfioQuietGuest : public StageTest {};

/// It sends no command any more: what lingers is closed all the same when nobody holds it. The device is not
/// asked for its statistics, for which it looks.
TEST_F(VfioQuietGuest, LeavesNothingOpen)
{
    Stage stage({.gpu_options = ",still-ms=0", .let_go_ms = 500});
    const Viewer viewer;
    ASSERT_TRUE(viewer.shows("neutral"));
    stage.show(paint(Ground::width, Ground::height, 1));
    ASSERT_TRUE(viewer.shows("dmabuf")) << viewer.stats().dump();
    ASSERT_EQ(kill(viewer.pid(), SIGSTOP), 0);
    ASSERT_STREQ(answer_name(stage.gpu->unref(id)), "OK");
    ASSERT_EQ(vfio_dmabufs(), 1);
    ASSERT_EQ(kill(viewer.pid(), SIGCONT), 0);
    EXPECT_TRUE(eventually([&] { return vfio_dmabufs() == 0; })) << vfio_dmabufs();
}

/// It runs again in time: the kernel is asked when nobody has the buffer any more, and so it does not wait.
TEST_P(VfioLinger, TheLossWaitsForTheViewer)
{
    const HostResets host_resets(GetParam().host_resets);
    constexpr unsigned long_enough = 30'000;
    Stage &stage = Stage::shared(options(long_enough));
    const Viewer viewer({}, lazy());
    ASSERT_TRUE(viewer.shows("neutral"));
    ASSERT_NO_FATAL_FAILURE(take_back(stage, viewer));
    const std::size_t before = asked_of_kernel().size();
    std::thread waker([&] {
        std::this_thread::sleep_for(1s);
        kill(viewer.pid(), SIGCONT);
    });
    GetParam().lose(stage);
    waker.join();
    const auto lines = asked_of_kernel();
    ASSERT_GT(lines.size(), before) << "nothing was asked of the kernel";
    for (std::size_t i = before; i < lines.size(); i++)
        EXPECT_EQ(lines[i].dmabufs, 0) << lines[i].what;
    const Json totals = stage.machine.stats()["totals"];
    EXPECT_EQ(totals["lingering"], 0) << totals.dump();
    EXPECT_EQ(stage.counted("lingered"), 1) << totals.dump();
    EXPECT_EQ(stage.counted("held_over"), 0) << totals.dump();
    EXPECT_EQ(stage.counted("cut_off"), 0) << totals.dump();
}

/// It does not: the loss goes through all the same, after let-go-ms, and the viewer is cut off.
TEST_P(VfioLingerOn, TheViewerIsCutOff)
{
    const HostResets host_resets(GetParam().host_resets);
    Stage &stage = Stage::shared(options(500));
    const Viewer viewer; // the kernel makes its driver unmap
    ASSERT_TRUE(viewer.shows("neutral"));
    ASSERT_NO_FATAL_FAILURE(take_back(stage, viewer));
    GetParam().lose(stage);
    const Json totals = stage.machine.stats()["totals"];
    EXPECT_EQ(totals["lingering"], 0) << totals.dump();
    EXPECT_EQ(stage.counted("held_over"), 1) << totals.dump();
    EXPECT_EQ(stage.counted("cut_off"), 1) << totals.dump();
    const std::string messages = stage.machine.new_messages();
    EXPECT_NE(messages.find("the display of process " + std::to_string(viewer.pid()) + " is cut off"),
              std::string::npos)
        << messages;
    ASSERT_EQ(kill(viewer.pid(), SIGCONT), 0);
    EXPECT_TRUE(eventually([&] { return viewer.stats().value("times_connected", 0) == 2; }))
        << viewer.stats().dump();
}

INSTANTIATE_TEST_SUITE_P(Vfio, VfioLinger, testing::ValuesIn(loss_ways()),
                         [](const auto &row) { return std::string(row.param.name); });
INSTANTIATE_TEST_SUITE_P(Vfio, VfioLingerOn, testing::ValuesIn(ways_of_each_kind()),
                         [](const auto &row) { return std::string(row.param.name); });

} // namespace
} // namespace vramlink::test
