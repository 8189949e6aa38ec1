// SPDX-License-Identifier: GPL-2.0-or-later
//
// The property show-mapped: a display that cannot use a dma-buf asks for the mapped picture, and gets the
// dma-buf back when it no longer asks.

#include "tests/device/consumer.hpp"
#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

namespace vramlink::test {
namespace {

constexpr Rect whole{0, 0, Ground::width, Ground::height};

void show_mapped(Machine &machine, bool on)
{
    machine.qmp(
        {{"execute", "qom-set"},
         {"arguments", {{"path", "/machine/peripheral/vram0"}, {"property", "show-mapped"}, {"value", on}}}});
}

/// Paints another picture and flushes it; the screendump shows it.
void expect_picture(Ground &ground, std::uint32_t seed)
{
    const Picture next = paint(Ground::width, Ground::height, seed);
    put(ground.machine, ground.shown_entries(), next);
    ASSERT_STREQ(answer_name(ground.gpu.flush(shown_id, whole)), "OK");
    EXPECT_EQ(difference(next, screendump(ground.machine)), "");
}

TEST(ShowMapped, CanBeSetAtAnyTime)
{
    Ground ground;
    for (std::uint32_t seed = 2; seed < 6; seed++) {
        show_mapped(ground.machine, seed % 2 == 0);
        expect_picture(ground, seed);
    }
    ASSERT_STREQ(answer_name(ground.gpu.detach(shown_id)), "OK");
    show_mapped(ground.machine, true); // bound, and nothing behind it
    show_mapped(ground.machine, false);
    ground.gpu.reset();
    show_mapped(ground.machine, true); // nothing is bound
    EXPECT_EQ(ground.machine.stats()["totals"]["live"], 0);
}

TEST(VfioShowMapped, AConsumerGetsAnotherDmabufAndOursBack)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    auto options = ground_options(Where::Vfio);
    options.display = "dbus,p2p=yes,gl=on";
    Ground ground(options);
    Recorder recorder(ground.machine);
    const Json ours = ground.machine.blob(shown_id)["dmabufs"][0];
    const auto is_ours = [&](const recorded &call) { return Json(call.inode) == ours; };
    ASSERT_TRUE(recorder.wait(RECORDED_SCANOUT_DMABUF, 0, is_ours));

    unsigned from = recorder.count();
    show_mapped(ground.machine, true);
    const recorded *other =
        recorder.wait(RECORDED_SCANOUT_DMABUF, from, [&](const recorded &call) { return !is_ours(call); });
    ASSERT_TRUE(other) << "a texture of QEMU's";
    EXPECT_TRUE(other->pixels) << "which can be mapped, unlike VFIO's";
    EXPECT_EQ(ground.machine.blob(shown_id)["plan"], "shared");
    EXPECT_NE(ground.machine.blob(shown_id).value("shown", "").find("show-mapped"), std::string::npos)
        << ground.machine.blob(shown_id).dump();
    expect_picture(ground, 2);

    from = recorder.count();
    show_mapped(ground.machine, false);
    EXPECT_TRUE(recorder.wait(RECORDED_SCANOUT_DMABUF, from, is_ours));
    EXPECT_EQ(ground.machine.blob(shown_id).value("shown", ""), "");
    expect_picture(ground, 3);
}

} // namespace
} // namespace vramlink::test
