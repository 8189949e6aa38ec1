// SPDX-License-Identifier: GPL-2.0-or-later
//
// The viewer on KMS has the user's keyboard and mouse, shows the guest's pointer, and shares the machine with
// other virtual terminals.

#include "tests/device/ground.hpp"
#include "tests/device/host_screen.hpp"
#include "tests/device/user_hands.hpp"
#include "tests/device/viewer.hpp"
#include "tests/device/vm_ps2.h"

#include <gtest/gtest.h>

#include <linux/input-event-codes.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <vector>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10, cursor_id = 11;
using Bytes = std::vector<int>;
constexpr int set2_k = 0x42, set2_break = 0xf0; ///< of the key K, in the keyboards' own code

/// Where the host's display device has its cursor plane (the one with alpha) on: "64x64+X+Y"; "" when it is
/// off.
std::string host_cursor()
{
    std::ostringstream state;
    state << std::ifstream("/sys/kernel/debug/dri/0/state").rdbuf();
    const std::string text = state.str();
    static const std::regex plane(R"(format=AR24(?:(?!plane\[)[\s\S])*?crtc-pos=(\S+))");
    std::smatch found;
    return std::regex_search(text, found, plane) ? found[1].str() : "";
}

/// A firmware that stands still: QEMU passes input on to a machine that runs only.
std::string firmware()
{
    std::string path = std::filesystem::temp_directory_path() / "vramlink-halt.bin";
    constexpr char hlt = '\xf4';
    std::ofstream(path) << std::string(128 << 10, hlt);
    return path;
}

class VfioSeat : public testing::Test {
  protected:
    static Machine::Options options()
    {
        auto options = ground_options(Where::Vfio);
        options.devices += " -bios " + firmware() + Viewer::door();
        options.display = "dbus,p2p=yes,gl=on";
        return options;
    }
    void SetUp() override
    {
        ASSERT_EQ(
            std::system("mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug"), 0);
        ASSERT_GT(terminal(), 0) << "the host has no virtual terminals";
        ASSERT_TRUE(viewer.shows("dmabuf")) << viewer.stats().dump();
        ground.machine.qmp({{"execute", "cont"}});
        for (const bool mouse : {false, true}) // what the test before has left
            while (vm_ps2_read(ground.machine.raw(), mouse) >= 0)
                ;
    }
    void show(const Picture &picture)
    {
        const auto entries = scattered(ground.near_page(64), picture.pages(), id);
        put(ground.machine, entries, picture);
        ASSERT_STREQ(answer_name(ground.gpu.create_blob(id, picture.bytes(), entries)), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
        flush();
    }
    void flush()
    {
        EXPECT_STREQ(answer_name(ground.gpu.flush(id, {0, 0, Ground::width, Ground::height})), "OK");
    }
    /// What the guest's keyboard or mouse has said since the last time, once it is @p wanted bytes.
    Bytes heard(bool mouse, std::size_t wanted)
    {
        Bytes bytes;
        (void)eventually([&] {
            for (int byte = 0; (byte = vm_ps2_read(ground.machine.raw(), mouse)) >= 0;)
                bytes.push_back(byte);
            return bytes.size() >= wanted;
        });
        return bytes;
    }

    /// The keyboard comes back with the terminal, after the picture: K is pressed until the guest has heard
    /// it.
    Bytes pressed_until_heard()
    {
        Bytes bytes;
        (void)eventually([&] {
            hands.press(KEY_K);
            for (int byte = 0; (byte = vm_ps2_read(ground.machine.raw(), false)) >= 0;)
                bytes.push_back(byte);
            return bytes.size() >= 3;
        });
        bytes.resize(std::min<std::size_t>(bytes.size(), 3));
        return bytes;
    }

    UserHands hands;
    Ground &ground = Ground::shared(options());
    Viewer viewer{{}, {}, Viewer::Seat::taken};
};

TEST_F(VfioSeat, KeysMovementsAndClicksReachTheGuest)
{
    hands.press(KEY_K);
    EXPECT_EQ(heard(false, 3), (Bytes{set2_k, set2_break, set2_k}));
    ASSERT_TRUE(vm_ps2_mouse_on(ground.machine.raw()));
    hands.move(0, 7); // PS/2 counts upwards
    EXPECT_EQ(heard(true, 3), (Bytes{0x28, 0, 256 - 7}));
    hands.click();
    EXPECT_EQ(heard(true, 6), (Bytes{0x09, 0, 0, 0x08, 0, 0}));
}

TEST_F(VfioSeat, TheGuestsPointerIsACursorPlane)
{
    const Picture image = paint(64, 64, 3);
    const auto entries = scattered(ground.near_page(32), image.pages(), cursor_id);
    put(ground.machine, entries, image);
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(cursor_id, image.bytes(), entries)), "OK");
    const auto frames = viewer.stats()["frames_flipped"];
    ground.gpu.update_cursor(cursor_id, 5, 7, {0, 20, 30});
    EXPECT_TRUE(eventually([] { return host_cursor() == "64x64+20+30"; })) << host_cursor();
    ground.gpu.move_cursor(cursor_id, {0, 21, 300});
    EXPECT_TRUE(eventually([] { return host_cursor() == "64x64+21+300"; })) << host_cursor();
    EXPECT_EQ(viewer.stats()["frames_flipped"], frames) << "no frame is touched for it";
    ground.gpu.update_cursor(0, 0, 0);
    EXPECT_TRUE(eventually([] { return host_cursor().empty(); })) << host_cursor();
}

TEST_F(VfioSeat, AnotherTerminalHasTheScreenAndTheGuestGoesOn)
{
    const int ours = terminal();
    const int other = ours == 2 ? 3 : 2;
    HostScreen screen;
    const Picture before = paint(Ground::width, Ground::height, 1);
    const Picture after = paint(Ground::width, Ground::height, 2);
    show(before);
    ASSERT_TRUE(screen.comes(before));
    EXPECT_FALSE(nobody_drives());

    hands.chord({KEY_LEFTCTRL, KEY_LEFTALT, static_cast<std::uint16_t>(KEY_F1 + other - 1)});
    ASSERT_TRUE(eventually([&] { return terminal() == other; })) << terminal();
    EXPECT_TRUE(eventually(nobody_drives));
    EXPECT_EQ(heard(false, 6), (Bytes{0x14, 0x11, 0xf0, 0x11, 0xf0, 0x14}))
        << "control and alt do not stay down";
    hands.press(KEY_K);
    put(ground.machine, scattered(ground.near_page(64), after.pages(), id), after);
    flush();
    flush(); // answered, by the clock
    EXPECT_EQ(vm_ps2_read(ground.machine.raw(), false), -1) << "the key was for the other terminal";

    switch_terminal(ours);
    ASSERT_TRUE(eventually([&] { return terminal() == ours; })) << terminal();
    EXPECT_TRUE(screen.comes(after));
    EXPECT_EQ(pressed_until_heard(), (Bytes{set2_k, set2_break, set2_k}));
    EXPECT_EQ(viewer.stats()["flips_failed"], 0);
}

/// A reset takes the memory away while nobody looks: it is let go of all the same.
TEST_F(VfioSeat, WhatIsLostWhileAnotherTerminalHasTheScreenIsLetGoOf)
{
    const int ours = terminal();
    show(paint(Ground::width, Ground::height, 1));
    switch_terminal(ours + 1);
    ASSERT_TRUE(eventually(nobody_drives));
    ASSERT_STREQ(answer_name(ground.gpu.unref(id)), "OK");
    EXPECT_TRUE(viewer.shows("neutral")) << viewer.stats().dump();
    EXPECT_TRUE(eventually([&] { return gem_count(viewer.pid())["framebuffers"] == 1; }));
    switch_terminal(ours);
    const Picture picture = paint(Ground::width, Ground::height, 2);
    show(picture);
    HostScreen screen;
    EXPECT_TRUE(screen.comes(picture));
}

TEST_F(VfioSeat, AChordEndsTheViewerAndTheTerminalIsAsItWas)
{
    EXPECT_TRUE(is_graphic(terminal()));
    hands.chord({KEY_LEFTCTRL, KEY_LEFTALT, KEY_Q});
    EXPECT_EQ(viewer.wait(0), 0);
    EXPECT_TRUE(eventually(nobody_drives));
    EXPECT_FALSE(is_graphic(terminal()));
}

} // namespace
} // namespace vramlink::test
