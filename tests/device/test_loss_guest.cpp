// SPDX-License-Identifier: GPL-2.0-or-later
//
// The guest takes a buffer back while the host's display scans it out: DETACH_BACKING, UNREF, reset of the
// virtio-gpu. What the guest paints into its memory from then on is never on the host's screen, which is
// looked at from outside, and the host's handles are gone when the display has flipped away.

#include "tests/device/host_screen.hpp"
#include "tests/device/stage.hpp"

#include <chrono>
#include <functional>
#include <ostream>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = Stage::id;

struct Way {
    const char *name;
    std::function<std::uint32_t(Stage &)> take;
    const char *options; ///< of the device
    const char *shown;   ///< what the viewer says afterwards
};

void PrintTo(const Way &way, std::ostream *out)
{
    *out << way.name;
}

std::uint32_t reset(Stage &stage)
{
    stage.gpu->reset();
    return VIRTIO_GPU_RESP_OK_NODATA;
}

const std::vector<Way> ways = {
    {"Unref", [](Stage &stage) { return stage.gpu->unref(id); }, "", "neutral"},
    {"DeviceReset", reset, "", "neutral"},
    {"DetachBacking", [](Stage &stage) { return stage.gpu->detach(id); }, ",still-ms=60000", "dmabuf"},
    {"DetachBackingWithoutAStill", [](Stage &stage) { return stage.gpu->detach(id); }, ",still-ms=0",
     "neutral"},
};

/// How many of the other picture's pixels are to be seen at their places. Different pictures differ
/// everywhere, but the neutral frame has colours, too.
int pixels_of(const Picture &other, const Picture &seen)
{
    if (seen.width != other.width || seen.height != other.height)
        return 0;
    int same = 0;
    for (std::size_t i = 0; i < seen.pixels.size(); i++)
        same += seen.pixels[i] == other.pixels[i];
    return same;
}

class VfioGuestTakesBack : public StageTest, public testing::WithParamInterface<Way> {};

TEST_P(VfioGuestTakesBack, AndTheScreenNeverShowsWhatItPaintsThen)
{
    constexpr int looks = 3; // of 8 MB each, where the screen has gone dark
    const Way &way = GetParam();
    Stage &stage = Stage::shared({.gpu_options = std::string(",flip-away-ms=60000") + way.options});
    const Viewer viewer;
    ASSERT_TRUE(viewer.shows("neutral"));
    const Baseline baseline(stage, viewer);
    HostScreen screen;
    const Picture picture = paint(Ground::width, Ground::height, 1);
    const Picture secret = paint(Ground::width, Ground::height, 2);
    stage.show(picture);
    ASSERT_TRUE(viewer.shows("dmabuf"));
    ASSERT_TRUE(screen.comes(picture)) << "the pixels are not on the host's screen";

    const auto entries = stage.entries_of(picture);
    const auto start = std::chrono::steady_clock::now();
    ASSERT_STREQ(answer_name(way.take(stage)), "OK");
    report_loss(way.name, std::chrono::steady_clock::now() - start);
    put(stage.machine, entries, secret);
    EXPECT_EQ(vfio_dmabufs(), 0) << "somebody on the host has its memory still";
    for (int i = 0; i < looks; i++) {
        const Picture &seen = screen.look();
        EXPECT_LT(pixels_of(secret, seen), 8) << "look " << i;
    }
    EXPECT_TRUE(viewer.shows(way.shown)) << viewer.stats().dump();
    if (std::string(way.shown) == "dmabuf") {
        EXPECT_EQ(difference(picture, screen.look()), "") << "the still";
    }
    (void)stage.gpu->unref(id);
    EXPECT_TRUE(viewer.shows("neutral"));
    baseline.expect_again(stage, viewer);

    const Picture next = paint(Ground::width, Ground::height, 3);
    stage.show(next);
    EXPECT_TRUE(screen.comes(next));
}

INSTANTIATE_TEST_SUITE_P(Vfio, VfioGuestTakesBack, testing::ValuesIn(ways),
                         [](const auto &row) { return std::string(row.param.name); });

} // namespace
} // namespace vramlink::test
