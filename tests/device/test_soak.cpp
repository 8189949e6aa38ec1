// SPDX-License-Identifier: GPL-2.0-or-later
//
// A guest that makes, shows and destroys buffers all day: sizes and scatter at random, on real VFIO. What the
// process holds after the first cycles is what it holds after the last.
//
// VRAMLINK_SOAK=CYCLES is how many (default 2,000; ./dev soak asks for 100,000).

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
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
};

Holding look(Ground &ground, Soak &soak)
{
    soak.finish();
    return {ground.machine.held(), ground.machine.stats()["totals"]};
}

void expect_nothing_grows(Where where)
{
    // khugepaged would add megabytes to a heap that has not grown; QEMU inherits this.
    ASSERT_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    const char *wish = std::getenv("VRAMLINK_SOAK");
    const int cycles = wish != nullptr ? std::atoi(wish) : 2000;
    const int warm = std::min(1000, cycles / 4);
    Ground ground(ground_options(where));
    Soak soak(ground);
    Holding early;
    for (int i = 0; i < cycles && !testing::Test::HasFailure(); i++) {
        if (i == warm)
            early = look(ground, soak);
        soak.cycle();
    }
    const Holding late = look(ground, soak);
    EXPECT_EQ(late.process.fds, early.process.fds);
    EXPECT_EQ(late.process.dmabufs, early.process.dmabufs);
    EXPECT_LE(late.process.maps, early.process.maps + heap_maps);
    EXPECT_LE(late.process.rss, early.process.rss + rss_tolerance);
    for (const char *kept : {"live", "tombstones", "dmabuf_fds", "extents"})
        EXPECT_EQ(late.totals[kept], early.totals[kept]) << kept;
    EXPECT_EQ(late.totals["revocations"], 0);
    const char *file = std::getenv("VRAMLINK_SOAK_REPORT");
    std::ofstream report(file != nullptr ? file : "/dev/null");
    report << cycles << " cycles; at cycle " << warm << " and at the end: descriptors " << early.process.fds
           << ", " << late.process.fds << "; mappings " << early.process.maps << ", " << late.process.maps
           << "; resident KiB " << early.process.rss / 1024 << ", " << late.process.rss / 1024 << "; exports "
           << late.totals["exports"] << "\n";
}

TEST(Soak, NothingGrows)
{
    expect_nothing_grows(Where::Ivshmem);
}

TEST(VfioSoak, NothingGrows)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    expect_nothing_grows(Where::Vfio);
}

} // namespace
} // namespace vramlink::test
