// SPDX-License-Identifier: GPL-2.0-or-later
//
// How long the guest's reset of its GPU takes until (a) the last handle to its memory is closed, (b) the
// guest hears of it, (c) the viewer shows the neutral frame; beside VFIO's bare reset ioctl in the same run,
// with and without a viewer that shows the memory. What happens inside QEMU and the viewer is told by
// timeline.c.
//
// VRAMLINK_BENCH_REVOCATIONS=N: how many of each (1,000).

#include "tests/bench/desk.hpp"
#include "tests/bench/timeline.hpp"
#include "tests/device/nvme_gpu.hpp"
#include "tests/device/viewer.hpp"

#include <cstdlib>

namespace vramlink::test {

namespace {

constexpr std::uint32_t id = 10;
constexpr std::uint32_t side = 64;

struct Stage {
    Stage()
        : machine({.devices = NvmeGpu::device(NvmeGpu::At::BehindBridge) + Viewer::door(),
                   .gpu = "virtio-gpu-vram-pci,id=vram0",
                   .display = "dbus,p2p=yes,gl=on,rendernode=/dev/dri/renderD128",
                   .preload = Timeline::library(),
                   .environment = Timeline::variable()})
    {
    }
    /// Returns when the viewer has shown it: that answers the flush.
    void show()
    {
        constexpr std::uint64_t size = std::uint64_t{4} * side * side;
        const auto entries = scattered(nvme.page_at(0), size / page, 1, 2);
        const BlobScanout scanout{
            .id = id, .rect = {0, 0, side, side}, .width = side, .height = side, .stride = 4 * side};
        require(gpu.create_blob(id, size, entries) == VIRTIO_GPU_RESP_OK_NODATA, "no blob");
        require(gpu.set_scanout_blob(scanout) == VIRTIO_GPU_RESP_OK_NODATA, "no scanout");
        require(gpu.flush(id, scanout.rect) == VIRTIO_GPU_RESP_OK_NODATA, "no flush");
        (void)gpu.take_events();
        Timeline::clear();
    }
    void recover()
    {
        nvme.power_up();
        require(gpu.unref(id) == VIRTIO_GPU_RESP_OK_NODATA, "no unref");
        Timeline::clear();
    }

    Timeline timeline;
    Machine machine;
    NvmeGpu nvme{machine, NvmeGpu::At::BehindBridge};
    Gpu gpu{machine};
};

struct Series {
    std::vector<double> closed, told, neutral, write, bare, under_viewer;
};

double us(std::int64_t ns)
{
    constexpr double ns_in_us = 1000;
    return static_cast<double>(ns) / ns_in_us;
}

/// An FLR, as the guest's driver asks for one.
void one_write(Stage &stage, Series &series)
{
    stage.show();
    const std::int64_t start = now_ns();
    stage.nvme.reset_function();
    const std::int64_t returned = now_ns();
    require((stage.gpu.take_events() & VIRTIO_GPU_EVENT_DISPLAY) != 0, "the guest is not told");
    series.told.push_back(us(now_ns() - start));
    series.write.push_back(us(returned - start));
    series.closed.push_back(us(Timeline::wait("closed").end - start));
    series.neutral.push_back(us(Timeline::wait("mode").end - start));
    stage.recover();
}

/// The same reset as the VMM asks for it, under a viewer, and with nothing that anybody could hold.
void one_reset(Stage &stage, Series &series)
{
    stage.show();
    stage.nvme.reset_bus();
    const Step under_viewer = Timeline::wait("reset");
    series.under_viewer.push_back(us(under_viewer.end - under_viewer.start));
    stage.recover();
    stage.nvme.reset_bus();
    const Step bare = Timeline::wait("reset");
    series.bare.push_back(us(bare.end - bare.start));
    stage.nvme.power_up();
    Timeline::clear();
}

} // namespace

void bench_revocation(Measures &measures)
{
    const char *wish = std::getenv("VRAMLINK_BENCH_REVOCATIONS");
    const int rounds = wish != nullptr ? std::atoi(wish) : 1000;
    Stage stage;
    const Viewer viewer({}, {"LD_PRELOAD=" + Timeline::library(), Timeline::variable()});
    require(viewer.shows("neutral"), "no viewer");
    stage.show();
    require(viewer.shows("dmabuf"), "the viewer shows nothing");
    stage.nvme.reset_function();
    stage.recover();
    Series series;
    for (int i = 0; i < rounds; i++) {
        one_write(stage, series);
        one_reset(stage, series);
    }
    measures.set("revoke/runs", rounds);
    measures.set_percentiles("revoke/closed", series.closed);
    measures.set_percentiles("revoke/told", series.told);
    measures.set_percentiles("revoke/neutral", series.neutral);
    measures.set_percentiles("revoke/write", series.write);
    measures.set_percentiles("revoke/bare_reset", series.bare);
    measures.set_percentiles("revoke/reset_under_viewer", series.under_viewer);
    measures.set("revoke/held_over", stage.machine.stats()["totals"]["held_over"]);
}

} // namespace vramlink::test
