// SPDX-License-Identifier: GPL-2.0-or-later
//
// A display GPU that lets go of a buffer not when the kernel tells it, but when its handles are closed, as xe
// does. The viewer's imports are attached to such an importer, too (lazy_import.c, kernel/testing). With the
// order of docs/revocation.md the guest's resets go through at once; without it (tests/device/unwatched) QEMU
// stands in the kernel until the viewer is killed.

#include "tests/device/ground.hpp"
#include "tests/device/importers.hpp"
#include "tests/device/nvme_gpu.hpp"
#include "tests/device/viewer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>

namespace vramlink::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint32_t id = 10;
constexpr auto hang = 3s; ///< how long a write that must hang is watched

std::vector<std::string> lazy_environment()
{
    return {"LD_PRELOAD=" + lazy_library(), "VRAMLINK_TEST_IMPORTER=" + Viewer::display_gpu()};
}

struct Stage {
    explicit Stage(const std::string &plugin = "")
        : machine({.devices = NvmeGpu::device() + Viewer::door(),
                   .gpu = "virtio-gpu-vram-pci,id=vram0,let-go-ms=20000", // tests do not depend on speed
                   .display = "dbus,p2p=yes,gl=on,rendernode=/dev/dri/renderD128",
                   .plugin = plugin})
    {
    }
    /// A new blob, on the viewer's screen and in the lazy importer.
    void show(const Viewer &viewer, std::uint32_t seed)
    {
        const Picture picture = paint(Ground::width, Ground::height, seed);
        const auto entries = scattered(nvme.page_at(0), picture.pages(), seed);
        put(machine, entries, picture);
        ASSERT_STREQ(answer_name(gpu->create_blob(id, picture.bytes(), entries)), "OK");
        ASSERT_STREQ(answer_name(gpu->set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
        ASSERT_STREQ(answer_name(gpu->flush(id, {0, 0, picture.width, picture.height})), "OK");
        ASSERT_TRUE(viewer.shows("dmabuf")) << viewer.stats().dump();
        ASSERT_GE(mapped_importers(), 1);
    }

    Machine machine;
    NvmeGpu nvme{machine};
    std::unique_ptr<Gpu> gpu = std::make_unique<Gpu>(machine);
};

struct Way {
    const char *name;
    void (*lose)(Stage &);
};

const std::vector<Way> config_writes = {
    {"memory decoding off", [](Stage &stage) { stage.nvme.memory_off(); }},
    {"D3", [](Stage &stage) { stage.nvme.sleep(); }},
    {"FLR", [](Stage &stage) { stage.nvme.reset_function(); }},
};
/// Without the order it would not hang: our own device's reset frees the blobs, and happens to come first.
const Way machine_reset = {"machine reset", [](Stage &stage) { vm_reset(stage.machine.raw()); }};

/// By the host's root. The kernel tells QEMU, where the driver does, and then waits for the importer.
const Way host_reset = {"reset by the host", [](Stage &) { EXPECT_EQ(NvmeGpu::reset_by_host(), 0); }};

/// The guest's driver after a loss.
void recover(Stage &stage)
{
    stage.nvme.wake();
    stage.nvme.power_up();
    stage.gpu = std::make_unique<Gpu>(stage.machine); // a virtio reset: no blob is left
}

class VfioLazy : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_NE(NvmeGpu::host(), "") << "VRAMLINK_VFIO_FLR names no device";
        ASSERT_TRUE(fs::exists("/dev/vram-importer"))
            << "vram-importer.ko is not loaded (./dev kernel build)";
    }
};

void expect_through(const std::vector<Way> &ways)
{
    Stage stage;
    const Viewer viewer({}, lazy_environment());
    std::uint32_t seed = 0;
    for (const Way &way : ways) {
        SCOPED_TRACE(way.name);
        ASSERT_NO_FATAL_FAILURE(stage.show(viewer, ++seed));
        auto lost = std::async(std::launch::async, [&] { way.lose(stage); });
        const bool in_time =
            lost.wait_for(std::chrono::milliseconds(patience(1000))) == std::future_status::ready;
        EXPECT_TRUE(in_time) << "still waiting; " << mapped_importers() << " lazy mappings";
        if (!in_time)
            ::kill(viewer.pid(), SIGKILL);
        lost.get();
        EXPECT_EQ(mapped_importers(), 0);
        EXPECT_EQ(stage.machine.held().vfio_dmabufs, 0);
        EXPECT_TRUE(viewer.shows("neutral"));
        EXPECT_EQ(stage.machine.stats()["totals"]["held_over"], 0);
        recover(stage);
    }
    ASSERT_NO_FATAL_FAILURE(stage.show(viewer, ++seed));
}

/// @p in_qemu: it is QEMU that stands in the kernel meanwhile.
void expect_to_hang(const std::vector<Way> &ways, bool in_qemu)
{
    const char *plugin = std::getenv("VRAMLINK_UNWATCHED_PLUGIN");
    ASSERT_NE(plugin, nullptr);
    Stage stage(plugin);
    std::uint32_t seed = 0;
    for (const Way &way : ways) {
        SCOPED_TRACE(way.name);
        Viewer viewer({}, lazy_environment());
        ASSERT_NO_FATAL_FAILURE(stage.show(viewer, ++seed));
        auto lost = std::async(std::launch::async, [&] { way.lose(stage); });
        EXPECT_EQ(lost.wait_for(hang), std::future_status::timeout) << "it went through";
        EXPECT_EQ(stands_in_revocation(stage.machine.pid()), in_qemu) << "where does QEMU stand?";
        viewer.kill();
        EXPECT_EQ(lost.wait_for(std::chrono::milliseconds(patience(2000))), std::future_status::ready)
            << "it hangs without the viewer, too";
        lost.get();
        EXPECT_EQ(mapped_importers(), 0);
        recover(stage);
    }
}

TEST_F(VfioLazy, WithTheOrderTheGuestsResetsGoThrough)
{
    auto ways = config_writes;
    ways.push_back(machine_reset);
    expect_through(ways);
}

TEST_F(VfioLazy, WithoutTheOrderTheyHangUntilTheViewerIsKilled)
{
    expect_to_hang(config_writes, true);
}

TEST_F(VfioLazy, WithTheEventTheHostsResetGoesThrough)
{
    if (!NvmeGpu::driver_tells())
        GTEST_SKIP() << "the GPU's driver tells nothing (VFIO_DRIVER=vfio-pci-vram)";
    expect_through({host_reset});
}

TEST_F(VfioLazy, WithoutTheEventItHangsUntilTheViewerIsKilled)
{
    if (!NvmeGpu::driver_tells())
        GTEST_SKIP() << "the GPU's driver does not see a reset by the host";
    expect_to_hang({host_reset}, false);
}

} // namespace
} // namespace vramlink::test
