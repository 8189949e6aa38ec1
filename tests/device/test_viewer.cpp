// SPDX-License-Identifier: GPL-2.0-or-later
//
// vramlink-viewer beside real VRAM, on the lab's own screen: the guest moves a buffer and the screen never
// goes dark; the guest hears how large the screen is.

#include "tests/device/consumer.hpp"
#include "tests/device/ground.hpp"
#include "tests/device/host_screen.hpp"
#include "tests/device/viewer.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr std::uint32_t width = 1024, height = 768;

/// Imports of this size that are held now.
int live_imports(const Json &stats)
{
    int live = 0;
    for (const auto &import : stats.at("imports"))
        live += import.at("live").get<bool>() ? 1 : 0;
    return live;
}

TEST(VfioViewer, AMoveNeverDarkensTheScreen)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    auto options = ground_options(Where::Vfio);
    options.display = "dbus,p2p=yes,gl=on";
    options.devices += Viewer::door();
    options.gpu += ",still-ms=60000";
    Machine machine(options);
    Gpu gpu(machine);
    const Picture picture = paint(width, height, 1);
    const auto vram = scattered(machine.map_bar(Ground::near_slot, 2).address, picture.pages(), 1, 2);
    const auto ram = scattered(vm_alloc(machine.raw(), picture.bytes()), picture.pages(), 2);
    put(machine, vram, picture);
    put(machine, ram, picture);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, picture.bytes(), vram)), "OK");
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    (void)gpu.take_events();

    const Viewer viewer({"--connect-timeout", "60"});
    ASSERT_TRUE(viewer.says([](auto &s) { return s["frames_flipped"] > 0 && s["showing"] == "dmabuf"; }))
        << viewer.stats().dump();
    EXPECT_TRUE(eventually([&] { return (gpu.take_events() & VIRTIO_GPU_EVENT_DISPLAY) != 0; }));
    EXPECT_GE(gpu.display_info().pmodes[0].r.width, 640u);
    EXPECT_EQ(gpu.display_info().pmodes[0].enabled, 1u);

    int stills = 0;
    for (const auto *next : {&ram, &vram, &ram}) {
        ASSERT_STREQ(answer_name(gpu.detach(id)), "OK");
        stills++;
        EXPECT_TRUE(viewer.says([&](auto &s) { return s["stills"] == stills && live_imports(s) <= 1; }))
            << "it lets go of the blob's memory: " << viewer.stats().dump();
        ASSERT_STREQ(answer_name(gpu.attach(id, *next)), "OK");
        const auto inode = machine.blob(id)["dmabufs"][0];
        EXPECT_TRUE(viewer.says([&](auto &s) {
            return !s["imports"].empty() && s["imports"].back()["identity"] == inode &&
                   s["showing"] == "dmabuf";
        })) << viewer.stats().dump();
    }
    EXPECT_EQ(viewer.stats()["revocations"], 0) << "the screen went dark";
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");
    EXPECT_TRUE(viewer.says([](auto &s) { return s["showing"] == "neutral" && live_imports(s) == 0; }));
}

/// What a guest flushes is all that the viewer asks its display device to look at.
TEST(VfioViewer, APartThatChangedIsSeen)
{
    auto options = ground_options(Where::Vfio);
    options.display = "dbus,p2p=yes,gl=on";
    options.devices += Viewer::door();
    Ground ground(options);
    const Viewer viewer({"--connect-timeout", "60"});
    constexpr std::uint32_t side = 64;
    Picture picture = paint(side, side, 1);
    const auto entries = scattered(ground.near_page(64), picture.pages(), id);
    put(ground.machine, entries, picture);
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.flush(id, {0, 0, side, side})), "OK");
    HostScreen screen;
    ASSERT_TRUE(screen.comes(picture));
    const auto from = picture.pixels.begin() + 20 * side;
    std::fill(from, from + 30 * side, 0xc0ffeeU);
    put(ground.machine, entries, picture);
    ASSERT_STREQ(answer_name(ground.gpu.flush(id, {0, 20, side, 30})), "OK");
    EXPECT_TRUE(screen.comes(picture));
}

/// QEMU's own surfaces arrive as textures of a format that the lab's display GPU does not take.
TEST(VfioViewer, CopiesWhatTheDisplayDoesNotTake)
{
    auto options = ground_options(Where::Vfio);
    options.display = "dbus,p2p=yes,gl=on";
    options.devices += Viewer::door();
    Ground ground(options);
    const Viewer viewer({"--connect-timeout", "60", Viewer::may_copy});
    ASSERT_TRUE(viewer.shows("dmabuf")) << viewer.stats().dump();
    const Json before = viewer.stats()["bytes_copied"]; // of the time before there was a blob

    constexpr std::uint32_t side = 64;
    constexpr Rect whole{0, 0, side, side};
    const Picture picture = paint(side, side, 1);
    const auto memory = linear(vm_alloc(ground.machine.raw(), picture.bytes()), picture.bytes());
    put(ground.machine, memory, picture);
    ASSERT_STREQ(answer_name(ground.gpu.create_2d(id, side, side)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.attach(id, memory)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.transfer_to_host_2d(id, whole)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout(0, id, whole)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.flush(id, whole)), "OK");
    HostScreen screen;
    EXPECT_TRUE(screen.comes(picture)) << viewer.stats().dump();
    EXPECT_TRUE(viewer.says([&](auto &s) { return s["bytes_copied"] > before; })) << viewer.stats().dump();
}

/// QEMU speaks of its consoles with the client that came last; the listeners of others go on.
TEST(VfioViewer, StaysWhenAnotherClientComes)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    auto options = ground_options(Where::Vfio);
    options.display = "dbus,p2p=yes,gl=on";
    options.devices += Viewer::door();
    Ground ground(options);
    const Viewer viewer({"--connect-timeout", "60"});
    ASSERT_TRUE(viewer.says([](auto &s) { return s["showing"] == "dmabuf"; })) << viewer.stats().dump();
    for (int i = 0; i < 3; i++) {
        const Recorder other(ground.machine);
        const Json before = viewer.stats();
        ASSERT_STREQ(answer_name(ground.gpu.flush(shown_id, {0, 0, Ground::width, Ground::height})), "OK");
        EXPECT_TRUE(viewer.says([&](auto &s) { return s["updates"] > before["updates"]; }))
            << viewer.stats().dump();
        EXPECT_EQ(viewer.stats()["revocations"], 0);
    }
}

} // namespace
} // namespace vramlink::test
