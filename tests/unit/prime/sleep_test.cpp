// SPDX-License-Identifier: GPL-2.0-or-later
//
// While another program drives the display device: what the guest notices, and what is held.

#include "tests/unit/prime/presented.hpp"

#include <cerrno>
#include <string>
#include <vector>

namespace vramlink::test {
namespace {

TEST_F(Presented, WhileAnotherProgramDrivesTheDeviceTheGuestGoesOnByTheClock)
{
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    show(b.get()); // its flip is under way
    screens->sleep();
    drm.set_crtc_error = drm.page_flip_error = EACCES;
    drm.calls.clear();
    EXPECT_EQ(screen->patience_us(), 100'000);
    ASSERT_TRUE(screen->give_up()) << "counts as shown";
    screen->on_visible();
    EXPECT_EQ(answered, 2);
    show(c.get());
    EXPECT_EQ(drm.calls, std::vector<std::string>{}) << "nothing is asked of the device";
    drm.set_crtc_error = drm.page_flip_error = 0;
    screens->wake();
    EXPECT_EQ(answered, 3) << "what was pending is on the screen";
    EXPECT_EQ(drm.framebuffers.at(drm.crtc.framebuffer), drm.framebuffers.rbegin()->second);
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(answered, 4);
    EXPECT_EQ(presenter->counters().flips_failed, 0U);
}

TEST_F(Presented, WhatIsTakenAwayWhileAsleepIsGoneWhenItWakes)
{
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    screens->sleep();
    drm.set_crtc_error = EACCES;
    presenter->disable();
    EXPECT_EQ(drm.framebuffers, idle) << "the imports end whoever drives the device";
    drm.set_crtc_error = 0;
    screens->wake();
    EXPECT_EQ(drm.crtc.framebuffer, idle.begin()->first);
    show(b.get());
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(answered, 2);
}

TEST_F(Presented, AnotherMonitorThatCameMeanwhileIsTheGuestsWhenItWakes)
{
    ScreenSize told;
    screen->on_resized = [&](const ScreenSize &size) { told = size; };
    screens->sleep();
    drm.connectors[0].width_mm = 700;
    screens->plugged();
    EXPECT_NE(told.width_mm, 700U) << "nobody asks the device now";
    screens->wake();
    EXPECT_EQ(told.width_mm, 700U);
}

} // namespace
} // namespace vramlink::test
