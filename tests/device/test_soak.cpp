// SPDX-License-Identifier: GPL-2.0-or-later
//
// A guest that makes, shows and destroys buffers all day: sizes and scatter at random, on real VFIO, with a
// viewer that imports each of them into the display GPU. What QEMU and the viewer hold after the first cycles
// (descriptors, dma-bufs, mappings, memory; GEM handles and framebuffers of the viewer) is what they hold
// after the last.
//
// VRAMLINK_SOAK=CYCLES is how many (default: 2,000, with a viewer in ./dev test 600; ./dev soak asks for
// 100,000).

#include "tests/device/ground.hpp"
#include "tests/device/repeat.hpp"
#include "tests/device/viewer.hpp"

#include <gtest/gtest.h>

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <utility>

namespace vramlink::test {
namespace {

constexpr std::uint64_t rss_tolerance = 2 << 20; ///< what malloc may keep
constexpr unsigned seed = 20;
constexpr const char *gpu_of_all_outputs = "virtio-gpu-vram-pci,id=vram0,max_outputs=4";
constexpr std::uint32_t outputs = 4; ///< of which the viewer has the first

class Soak {
  public:
    explicit Soak(Ground &ground) : ground_(ground), random_(seed) {}

    /// For each output: creates, shows and flushes one buffer and destroys the one that it replaces, as a
    /// flip does; now and then the old one goes first, and the display stays without a picture for a moment.
    void cycles()
    {
        std::vector<Bytes> commands;
        for (std::uint32_t output = 0; output < outputs; output++)
            std::ranges::move(cycle(output), std::back_inserter(commands));
        expect_ok(ground_.gpu.send_all(commands));
    }
    void finish()
    {
        for (std::uint32_t &id : shown_)
            if (const std::uint32_t last = std::exchange(id, 0); last != 0)
                expect_ok({ground_.gpu.unref(last)});
    }

  private:
    struct Size {
        std::uint32_t width, height;
    };
    static constexpr std::uint32_t flips_between = 8; ///< changes, on average

    std::vector<Bytes> cycle(std::uint32_t output)
    {
        const std::uint32_t id = 100 + number_++;
        if (below(0, flips_between) == 0) // a guest changes its mode more rarely than its buffer
            sizes_[output] = some_size();
        const auto [width, height] = sizes_[output];
        const std::uint64_t size = std::uint64_t{4} * width * height;
        const auto pages = static_cast<std::uint32_t>((size + page - 1) / page);
        const std::uint32_t step = below(1, 4);
        const auto entries = scattered(ground_.near_page(below(64, 2048)), pages, below(0, 1U << 30), step);
        const BlobScanout scanout{.scanout = output,
                                  .id = id,
                                  .rect = {0, 0, width, height},
                                  .width = width,
                                  .height = height,
                                  .stride = 4 * width};
        std::vector<Bytes> commands{create_blob_bytes(id, size, pages, entries),
                                    set_scanout_blob_bytes(scanout), flush_bytes(id, scanout.rect)};
        if (const std::uint32_t last = std::exchange(shown_[output], id); last != 0)
            commands.insert(below(0, flips_between) == 0 ? commands.begin() : commands.end(),
                            unref_bytes(last));
        return commands;
    }
    Size some_size()
    {
        return {4 * below(8, 64), below(32, 128)}; // Linux's virtio-gpu takes no framebuffer below 32 pixels
    }
    /// A number in [low, high).
    std::uint32_t below(std::uint32_t low, std::uint32_t high)
    {
        return std::uniform_int_distribution<std::uint32_t>(low, high - 1)(random_);
    }
    void expect_ok(const std::vector<std::uint32_t> &answers)
    {
        for (std::size_t i = 0; i < answers.size(); i++)
            if (answers[i] != VIRTIO_GPU_RESP_OK_NODATA)
                ADD_FAILURE() << "command " << i << " of cycle " << number_ << " answered "
                              << answer_name(answers[i]);
    }

    Ground &ground_;
    std::mt19937 random_;
    std::uint32_t number_ = 0;
    std::array<std::uint32_t, outputs> shown_{}; ///< what each output shows
    std::array<Size, outputs> sizes_{some_size(), some_size(), some_size(), some_size()};
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
    expect_same(late.process, early.process);
    EXPECT_LE(late.process.rss, early.process.rss + rss_tolerance);
    expect_same_totals(late.totals, early.totals);
    EXPECT_EQ(late.totals["revocations"], 0);
    EXPECT_LE(late.viewer_rss, early.viewer_rss + rss_tolerance);
    if (late.viewer.is_null())
        return;
    for (const char *kept : {"fds_total", "dmabuf_fds", "gem_handles", "framebuffers"})
        EXPECT_EQ(late.viewer[kept], early.viewer[kept]) << "the viewer's " << kept;
    EXPECT_TRUE(late.viewer["gem_handles"].is_number())
        << "GEM handles cannot be counted on this display GPU";
}

void write_report(int cycles, int warm, const Holding &early, const Holding &late, const Json &viewer,
                  const std::string &growth)
{
    const char *file = std::getenv("VRAMLINK_SOAK_REPORT");
    std::ofstream report(file != nullptr ? file : "/dev/null");
    report << cycles << " cycles; at cycle " << warm << " and at the end: descriptors " << early.process.fds
           << ", " << late.process.fds << "; mappings " << early.process.maps << ", " << late.process.maps
           << "; resident KiB " << early.process.rss / 1024 << ", " << late.process.rss / 1024 << "; exports "
           << late.totals["exports"] << "\nresident KiB after cycles:" << growth << "\n";
    if (viewer.is_object())
        report << "the viewer: " << early.viewer.dump() << ", " << late.viewer.dump() << "; resident KiB "
               << early.viewer_rss / 1024 << ", " << late.viewer_rss / 1024 << "; PRIME imports "
               << viewer["prime_imports"] << ", refused " << viewer["imports_failed"] << "\n";
}

int cycles_wished(unsigned otherwise)
{
    const char *wish = std::getenv("VRAMLINK_SOAK");
    return wish != nullptr ? std::atoi(wish) : static_cast<int>(otherwise);
}

void expect_nothing_grows(Ground &ground, const Viewer *viewer, int cycles)
{
    const int warm = std::min(1000, cycles / 4);
    Soak soak(ground);
    Holding early;
    std::string growth; // resident KiB after so many cycles: a leak is a line, a heap that settles is not
    int next = warm;
    for (int i = 0; i < cycles && !testing::Test::HasFailure(); i += outputs) {
        if (i >= next) {
            growth += " " + std::to_string(i) + ":" + std::to_string(ground.machine.held().rss / 1024);
            next *= 2;
        }
        if (i / outputs == warm / outputs)
            early = look(ground, soak, viewer);
        soak.cycles();
    }
    const Holding late = look(ground, soak, viewer);
    expect_same(late, early);
    const Json seen = viewer != nullptr ? viewer->stats() : Json();
    write_report(cycles, warm, early, late, seen, growth);
    if (viewer == nullptr)
        return;
    // What is gone before its turn comes is never imported.
    EXPECT_GT(seen["prime_imports"], cycles / outputs * 3 / 4) << seen.dump();
    for (const auto &import : seen["imports"]) {
        if (import["fourcc"] != "XB24") { // QEMU's own surfaces, which Linux's virtio-gpu does not take
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
    auto options = ground_options(Where::Ivshmem);
    options.gpu = gpu_of_all_outputs;
    Ground ground(options);
    expect_nothing_grows(ground, nullptr, cycles_wished(2000));
}

TEST(VfioSoak, NothingGrows)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    no_huge_pages();
    auto options = ground_options(Where::Vfio);
    options.devices += " " + Viewer::door();
    options.display = "dbus,p2p=yes,gl=on";
    options.gpu = gpu_of_all_outputs;
    Ground ground(options);
    const Viewer viewer({"--stats-interval", "2"}); // ten a second would be most of what the viewer does
    ASSERT_TRUE(viewer.shows("dmabuf"));
    expect_nothing_grows(ground, &viewer, cycles_wished(repetitions(600, 2000)));
}

} // namespace
} // namespace vramlink::test
