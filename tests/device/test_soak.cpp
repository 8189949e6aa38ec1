// SPDX-License-Identifier: GPL-2.0-or-later
//
// A guest that makes, shows and destroys buffers all day: sizes and scatter at random, on real VFIO, with a
// viewer that imports each of them into the display GPU. What QEMU and the viewer hold after the first cycles
// (descriptors, dma-bufs, mappings, memory; GEM handles and framebuffers of the viewer) is what they hold
// after the last.
//
// VRAMLINK_SOAK=CYCLES is how many (default 2,000; ./dev soak asks for 100,000).

#include "tests/device/ground.hpp"
#include "tests/device/viewer.hpp"

#include <gtest/gtest.h>

#include <sys/prctl.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

namespace vramlink::test {
namespace {

constexpr std::uint64_t rss_tolerance = 2 << 20; ///< what malloc may keep
constexpr unsigned seed = 20;

class Soak {
  public:
    explicit Soak(Ground &ground) : ground_(ground), random_(seed) {}

    /// Creates, shows, flushes and destroys one buffer; now and then two at once, so that a flip happens.
    void cycle()
    {
        const std::uint32_t id = 100 + number_++ % 7;
        const std::uint32_t width = 4 * below(4, 64);
        const std::uint32_t height = below(16, 128);
        const std::uint64_t size = std::uint64_t{4} * width * height;
        const auto pages = static_cast<std::uint32_t>((size + page - 1) / page);
        const std::uint32_t step = below(1, 4);
        const auto entries = scattered(ground_.near_page(below(64, 2048)), pages, below(0, 1U << 30), step);
        expect_ok(ground_.gpu.create_blob(id, size, entries), "create");
        const BlobScanout scanout{.scanout = below(0, 2),
                                  .id = id,
                                  .rect = {0, 0, width, height},
                                  .width = width,
                                  .height = height,
                                  .stride = 4 * width};
        expect_ok(ground_.gpu.set_scanout_blob(scanout), "scanout");
        expect_ok(ground_.gpu.flush(id, scanout.rect), "flush");
        if (last_ != 0)
            expect_ok(ground_.gpu.unref(last_), "unref");
        last_ = id;
    }
    void finish()
    {
        if (last_ != 0)
            expect_ok(ground_.gpu.unref(last_), "unref");
        last_ = 0;
    }

  private:
    /// A number in [low, high).
    std::uint32_t below(std::uint32_t low, std::uint32_t high)
    {
        return std::uniform_int_distribution<std::uint32_t>(low, high - 1)(random_);
    }
    void expect_ok(std::uint32_t answer, const char *what)
    {
        if (answer != VIRTIO_GPU_RESP_OK_NODATA)
            ADD_FAILURE() << what << " in cycle " << number_ << " answered " << answer_name(answer);
    }

    Ground &ground_;
    std::mt19937 random_;
    std::uint32_t number_ = 0;
    std::uint32_t last_ = 0;
};

struct Holding {
    Held process;
    Json totals;
    Json viewer; ///< gem-count's words; null without a viewer
    std::uint64_t viewer_rss = 0;
};

/// Between two cycles, when nothing is shown.
Holding look(Ground &ground, Soak &soak, const Viewer *viewer)
{
    soak.finish();
    Holding now{ground.machine.held(), ground.machine.stats()["totals"], nullptr};
    if (viewer == nullptr)
        return now;
    // The viewer lets go a moment after QEMU has told it.
    EXPECT_TRUE(eventually([&] {
        now.viewer = gem_count(viewer->pid());
        return now.viewer.is_object() && now.viewer["dmabuf_fds"] == 0;
    })) << now.viewer.dump();
    now.viewer_rss = held_by(viewer->pid()).rss;
    return now;
}

void expect_same(const Holding &late, const Holding &early)
{
    EXPECT_EQ(late.process.fds, early.process.fds);
    EXPECT_EQ(late.process.dmabufs, early.process.dmabufs);
    EXPECT_LE(late.process.maps, early.process.maps + heap_maps);
    EXPECT_LE(late.process.rss, early.process.rss + rss_tolerance);
    for (const char *kept : {"live", "tombstones", "dmabuf_fds", "extents"})
        EXPECT_EQ(late.totals[kept], early.totals[kept]) << kept;
    EXPECT_EQ(late.totals["revocations"], 0);
    EXPECT_LE(late.viewer_rss, early.viewer_rss + rss_tolerance);
    if (late.viewer.is_null())
        return;
    for (const char *kept : {"fds_total", "dmabuf_fds", "gem_handles", "framebuffers"})
        EXPECT_EQ(late.viewer[kept], early.viewer[kept]) << "the viewer's " << kept;
    EXPECT_TRUE(late.viewer["gem_handles"].is_number())
        << "GEM handles cannot be counted on this display GPU";
}

void write_report(int cycles, int warm, const Holding &early, const Holding &late, const Json &viewer)
{
    const char *file = std::getenv("VRAMLINK_SOAK_REPORT");
    std::ofstream report(file != nullptr ? file : "/dev/null");
    report << cycles << " cycles; at cycle " << warm << " and at the end: descriptors " << early.process.fds
           << ", " << late.process.fds << "; mappings " << early.process.maps << ", " << late.process.maps
           << "; resident KiB " << early.process.rss / 1024 << ", " << late.process.rss / 1024 << "; exports "
           << late.totals["exports"] << "\n";
    if (viewer.is_object())
        report << "the viewer: " << early.viewer.dump() << ", " << late.viewer.dump() << "; resident KiB "
               << early.viewer_rss / 1024 << ", " << late.viewer_rss / 1024 << "; PRIME imports "
               << viewer["prime_imports"] << ", refused " << viewer["imports_failed"] << "\n";
}

void expect_nothing_grows(Ground &ground, const Viewer *viewer)
{
    const char *wish = std::getenv("VRAMLINK_SOAK");
    const int cycles = wish != nullptr ? std::atoi(wish) : 2000;
    const int warm = std::min(1000, cycles / 4);
    Soak soak(ground);
    Holding early;
    for (int i = 0; i < cycles && !testing::Test::HasFailure(); i++) {
        if (i == warm)
            early = look(ground, soak, viewer);
        soak.cycle();
    }
    const Holding late = look(ground, soak, viewer);
    expect_same(late, early);
    const Json seen = viewer != nullptr ? viewer->stats() : Json();
    write_report(cycles, warm, early, late, seen);
    if (viewer == nullptr)
        return;
    // Output 0 is the viewer's: every second buffer. What is gone before its turn comes is never imported.
    EXPECT_GT(seen["prime_imports"], cycles / 4) << seen.dump();
    for (const auto &import : seen["imports"]) {
        // What Linux's virtio-gpu does not take: QEMU's own surfaces, which come as XB24, and small ones.
        constexpr int least = 32;
        if (import["fourcc"] != "XB24" && import["width"] >= least && import["height"] >= least) {
            EXPECT_TRUE(import["error"].is_null()) << import.dump();
        }
    }
}

/// khugepaged would add megabytes to a heap that has not grown; QEMU and the viewer inherit this.
void no_huge_pages()
{
    ASSERT_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
}

TEST(Soak, NothingGrows)
{
    no_huge_pages();
    Ground ground(ground_options(Where::Ivshmem));
    expect_nothing_grows(ground, nullptr);
}

TEST(VfioSoak, NothingGrows)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    no_huge_pages();
    auto options = ground_options(Where::Vfio);
    options.devices += " " + Viewer::door();
    options.display = "dbus,p2p=yes,gl=on";
    Ground ground(options);
    const Viewer viewer;
    ASSERT_TRUE(viewer.shows("dmabuf"));
    expect_nothing_grows(ground, &viewer);
}

} // namespace
} // namespace vramlink::test
