// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the host takes away: the passthrough GPU's driver is unbound, QEMU or the viewer is killed. Nothing
// hangs, the host holds what it held before, and the next picture is shown.

#include "tests/device/stage.hpp"

#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <optional>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = Stage::id;
using Clock = std::chrono::steady_clock;

Picture picture(std::uint32_t seed)
{
    return paint(Ground::width, Ground::height, seed);
}

class VfioHost : public StageTest {};

/// Takes the passthrough GPU from its driver, on a thread that the kernel keeps until the device is closed.
class Unbinding {
  public:
    Unbinding()
        : driver_(std::filesystem::canonical("/sys/bus/pci/devices/" + NvmeGpu::host() + "/driver")),
          done_(std::async(std::launch::async,
                           [file = driver_ + "/unbind"] { return write_sysfs(file, NvmeGpu::host()); }))
    {
    }
    /// The driver has the device again, for whoever comes next.
    ~Unbinding()
    {
        if (done_.valid()) {
            EXPECT_EQ(done_.get(), 0);
        }
        EXPECT_EQ(write_sysfs(driver_ + "/bind", NvmeGpu::host()), 0);
    }
    Unbinding(const Unbinding &) = delete;
    Unbinding &operator=(const Unbinding &) = delete;

    /// Within @p ms.
    bool ends(int ms) { return done_.wait_for(std::chrono::milliseconds(ms)) == std::future_status::ready; }

  private:
    std::string driver_;
    std::future<int> done_;
};

class VfioHostUnbinds : public VfioHost, public testing::WithParamInterface<bool> {};

/// The kernel asks QEMU for the device, QEMU asks the guest. Until that agrees it keeps its GPU and its
/// picture; then the unbinding ends, whatever the viewer shows.
TEST_P(VfioHostUnbinds, TheGpuGoesWhenTheGuestAgrees)
{
    const bool refuses_first = GetParam();
    Stage stage;
    const Viewer viewer;
    ASSERT_TRUE(viewer.shows("neutral"));
    const Baseline baseline(stage, viewer);
    stage.show(picture(1));
    ASSERT_TRUE(viewer.shows("dmabuf"));
    {
        Unbinding unbinding;
        ASSERT_TRUE(eventually([&] { return vm_pci_eject_asked(stage.machine.raw(), Stage::slot); }));
        if (refuses_first) {
            EXPECT_FALSE(unbinding.ends(1000)) << "without the guest";
            EXPECT_EQ(stage.machine.blob(id)["state"], "backed");
            EXPECT_STREQ(answer_name(stage.gpu->flush(id, {0, 0, Ground::width, Ground::height})), "OK");
            EXPECT_EQ(viewer.stats()["showing"], "dmabuf");
        }
        const auto start = Clock::now();
        vm_pci_eject(stage.machine.raw(), Stage::slot);
        EXPECT_TRUE(unbinding.ends(patience(2000))) << "the kernel waits for somebody";
        report_loss("the host unbinds, from when the guest agrees", Clock::now() - start);
        vm_wait_event(stage.machine.raw(), "DEVICE_DELETED");
        EXPECT_EQ(stage.machine.blob(id)["state"], "revoked");
        EXPECT_NE(stage.machine.blob(id).value("revoked", "").find("unplugged"), std::string::npos);
        EXPECT_TRUE(viewer.shows("neutral"));
        EXPECT_EQ(vfio_dmabufs(), 0);
        EXPECT_EQ(stage.machine.stats()["totals"]["held_over"], 0);
        stage.clean_up();
        baseline.expect_again(stage, viewer);
    }
    stage.machine.qmp(
        {{"execute", "device_add"},
         {"arguments", {{"driver", "vfio-pci"}, {"id", "again"}, {"host", NvmeGpu::host()}, {"addr", "5"}}}});
    stage.power_up();
    stage.show(picture(2));
    EXPECT_TRUE(viewer.shows("dmabuf"));
}

INSTANTIATE_TEST_SUITE_P(Vfio, VfioHostUnbinds, testing::Bool(),
                         [](const auto &row) { return row.param ? "RefusedAtFirst" : "AtOnce"; });

TEST_F(VfioHost, QemuIsKilled)
{
    auto stage = std::make_unique<Stage>();
    const Viewer viewer({"--reconnect"});
    ASSERT_TRUE(viewer.shows("neutral"));
    const Json before = neutral_count(viewer);
    stage->show(picture(1));
    ASSERT_TRUE(viewer.shows("dmabuf"));
    EXPECT_EQ(vfio_dmabufs(), 1);

    const auto start = Clock::now();
    vm_kill(stage->machine.raw());
    EXPECT_TRUE(eventually([] { return vfio_dmabufs() == 0; }));
    report_loss("QEMU is killed, until nobody has its dma-bufs", Clock::now() - start);
    EXPECT_TRUE(viewer.shows_alone("neutral")) << viewer.stats().dump();
    EXPECT_TRUE(eventually([&] {
        const Json now = gem_count(viewer.pid());
        return now["gem_handles"] == before["gem_handles"] && now["framebuffers"] == before["framebuffers"] &&
               now["dmabuf_fds"] == before["dmabuf_fds"];
    })) << before.dump()
        << " then " << gem_count(viewer.pid()).dump();
    stage.reset();

    Stage next;
    ASSERT_TRUE(viewer.shows("neutral"));
    next.show(picture(2));
    EXPECT_TRUE(viewer.shows("dmabuf")) << viewer.stats().dump();
}

TEST_F(VfioHost, TheViewerIsKilled)
{
    Stage stage;
    std::optional<Viewer> viewer(std::in_place);
    ASSERT_TRUE(viewer->shows("neutral"));
    const Baseline baseline(stage, *viewer);
    stage.show(picture(1));
    ASSERT_TRUE(viewer->shows("dmabuf"));
    const auto start = Clock::now();
    EXPECT_TRUE(WIFSIGNALED(viewer->wait(SIGKILL)));
    report_loss("the viewer is killed, until it is gone", Clock::now() - start);
    EXPECT_EQ(vfio_dmabufs(), 1) << "the blob's own";
    EXPECT_STREQ(answer_name(stage.gpu->flush(id, {0, 0, Ground::width, Ground::height})), "OK");

    viewer.emplace();
    EXPECT_TRUE(viewer->shows("dmabuf")) << "the picture that is there";
    EXPECT_STREQ(answer_name(stage.gpu->flush(id, {0, 0, Ground::width, Ground::height})), "OK");
    EXPECT_STREQ(answer_name(stage.gpu->unref(id)), "OK");
    EXPECT_TRUE(viewer->shows("neutral"));
    baseline.expect_again(stage, *viewer);
    stage.show(picture(2));
    EXPECT_TRUE(viewer->shows("dmabuf"));
}

} // namespace
} // namespace vramlink::test
