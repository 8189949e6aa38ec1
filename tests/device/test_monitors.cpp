// SPDX-License-Identifier: GPL-2.0-or-later
//
// The host's display GPU gets a second monitor while the VM runs: the viewer shows the guest's second output
// on it, and the guest sees a monitor come and go. The host's kernel tells the viewer of it (HotplugWatch).

#include "tests/device/ground.hpp"
#include "tests/device/host_screen.hpp"
#include "tests/device/viewer.hpp"

#include <gtest/gtest.h>

namespace vramlink::test {
namespace {

class VfioMonitors : public testing::Test {
  protected:
    static Machine::Options options()
    {
        auto options = ground_options(Where::Vfio);
        options.gpu = "virtio-gpu-vram-pci,id=vram0,max_outputs=2";
        options.devices += " " + Viewer::door();
        options.display = "dbus,p2p=yes,gl=on";
        return options;
    }
    /// A blob in VRAM with @p picture in it, on output @p scanout.
    void show(std::uint32_t id, std::uint32_t scanout, const Picture &picture)
    {
        const auto entries = scattered(ground.near_page(64 * (id % 10)), picture.pages(), id);
        put(ground.machine, entries, picture);
        EXPECT_STREQ(answer_name(ground.gpu.create_blob(id, picture.bytes(), entries)), "OK");
        const Rect all{0, 0, picture.width, picture.height};
        EXPECT_STREQ(answer_name(ground.gpu.set_scanout_blob({.scanout = scanout,
                                                              .id = id,
                                                              .rect = all,
                                                              .width = all.width,
                                                              .height = all.height,
                                                              .stride = 4 * all.width})),
                     "OK");
        EXPECT_STREQ(answer_name(ground.gpu.flush(id, all)), "OK");
    }
    bool viewer_has(std::size_t outputs)
    {
        return eventually([&] { return viewer.stats().value("outputs", Json::array()).size() == outputs; });
    }
    bool guest_has_second(bool enabled)
    {
        return eventually([&] { return (ground.gpu.display_info().pmodes[1].enabled != 0) == enabled; });
    }

    Ground ground{options()};
    const Viewer viewer;
};

TEST_F(VfioMonitors, ASecondOneShowsTheSecondOutput)
{
    const Picture one = paint(Ground::width, Ground::height, 1);
    const Picture two = paint(Ground::width, Ground::height, 2);
    ASSERT_TRUE(viewer.shows("neutral"));
    show(11, 0, one);
    show(12, 1, two);
    ASSERT_TRUE(viewer.shows("dmabuf"));
    EXPECT_TRUE(viewer_has(1));
    EXPECT_TRUE(guest_has_second(false));

    HostScreen first;
    HostScreen second(HostScreen::second);
    ASSERT_TRUE(first.comes(one));
    for (int again = 0; again < 2; again++) {
        second.plug(1024, 768);
        ASSERT_TRUE(viewer_has(2)) << viewer.stats().dump();
        EXPECT_TRUE(second.comes(two));
        EXPECT_TRUE(guest_has_second(true));
        EXPECT_TRUE(eventually([&] { return viewer.stats()["outputs"][1]["showing"] == "dmabuf"; }));
        EXPECT_TRUE(first.comes(one)) << "the first one is none the wiser";

        second.plug(0, 0);
        ASSERT_TRUE(viewer_has(1)) << viewer.stats().dump();
        EXPECT_TRUE(guest_has_second(false));
        EXPECT_TRUE(eventually([&] { return gem_count(viewer.pid())["gem_handles"] == 0; }));
    }
    EXPECT_EQ(viewer.stats()["showing"], "dmabuf");
}

} // namespace
} // namespace vramlink::test
