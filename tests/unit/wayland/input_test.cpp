// SPDX-License-Identifier: GPL-2.0-or-later
//
// Keys and pointer: from a compositor's seat through the window to whoever takes them; and what they are
// called.

#include "tests/unit/prime/input_recorder.hpp"
#include "tests/unit/prime/until.hpp"
#include "tests/unit/wayland/fake_compositor.hpp"
#include "tools/viewer/keymap.hpp"
#include "tools/viewer/wayland/window.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/input-event-codes.h>

#include <cstdlib>
#include <functional>
#include <set>

namespace vramlink::test {
namespace {

class Input : public ::testing::Test {
  protected:
    void SetUp() override
    {
        if (!std::getenv("XDG_RUNTIME_DIR"))
            setenv("XDG_RUNTIME_DIR", "/tmp", 1);
        compositor = std::make_unique<FakeCompositor>(false);
        connection = *WaylandConnection::open(compositor->socket(), std::chrono::seconds(20));
        window = *WaylandWindow::open(*connection, {});
        window->listen([](const std::string &why) { FAIL() << why; });
        window->set_input(&recorder);
        ASSERT_TRUE(until([this] {
            const auto now = compositor->with([](auto &state) { return state; });
            return now.commits > 0 && !now.keyboards.empty() && !now.pointers.empty() && !now.touches.empty();
        }));
    }
    void TearDown() override
    {
        window.reset();
        connection.reset();
    }
    bool says(const std::string &all)
    {
        return until([&] { return recorder.said == all; });
    }

    InputRecorder recorder;
    std::unique_ptr<FakeCompositor> compositor;
    std::unique_ptr<WaylandConnection> connection;
    std::unique_ptr<WaylandWindow> window;
};

TEST_F(Input, KeysButtonsWheelAndPositions)
{
    compositor->focus(true);
    compositor->key(KEY_A, true);
    compositor->key(KEY_A, false);
    compositor->move(512, 384);
    compositor->button(BTN_LEFT, true);
    compositor->button(BTN_LEFT, false);
    compositor->wheel(2);
    compositor->move(5000, -3); // over the edge, as in a drag
    EXPECT_TRUE(says("@0,0 +30 -30 @512,384 +b0 -b0 w0,2 @1023,0 ")) << recorder.said;
}

TEST_F(Input, FingersHaveSlots)
{
    compositor->touch_down(70, 512, 384);
    compositor->touch_down(5, 1, 2);
    compositor->touch_move(70, 600, 400.5);
    compositor->touch_move(33, 0, 0); // nobody's
    compositor->touch_up(70);
    compositor->touch_down(8, 5000, -3); // the first slot is free again
    compositor->touch_cancel();
    EXPECT_TRUE(says("t0.0@512,384 t1.0@1,2 t0.1@600,400.5 t0.2@600,400.5 t0.0@1023,0 t0.3@1023,0 t1.3@1,2 "))
        << recorder.said;
}

TEST_F(Input, AnEleventhFingerIsIgnored)
{
    std::string wanted;
    for (int id = 0; id < 11; id++) {
        compositor->touch_down(id, id, 0);
        if (id < 10)
            wanted += fmt::format("t{}.0@{},0 ", id, id);
    }
    compositor->touch_up(10);
    compositor->touch_up(9);
    EXPECT_TRUE(says(wanted + "t9.2@9,0 ")) << recorder.said;
}

TEST_F(Input, WhatIsPressedIsReleasedWhenTheFocusLeaves)
{
    compositor->focus(true);
    compositor->key(KEY_LEFTALT, true);
    compositor->key(KEY_TAB, true);
    compositor->button(BTN_RIGHT, true);
    compositor->focus(false);
    EXPECT_TRUE(says("@0,0 +56 +15 +b1 -15 -56 -b1 ")) << recorder.said;
    compositor->key(KEY_B, true);
    compositor->focus(true);
    compositor->key(KEY_C, true);
    EXPECT_TRUE(says("@0,0 +56 +15 +b1 -15 -56 -b1 @0,0 +46 ")) << recorder.said;
}

TEST_F(Input, ChordsAreOurs)
{
    compositor->focus(true);
    compositor->key(KEY_LEFTCTRL, true);
    compositor->key(KEY_LEFTALT, true);
    compositor->key(KEY_F, true);
    compositor->key(KEY_F, false);
    EXPECT_TRUE(until([this] { return compositor->with([](auto &state) { return state.full_screen; }); }));
    compositor->key(KEY_G, true);
    EXPECT_TRUE(until([this] {
        return compositor->with(
            [](auto &state) { return state.title.find("Ctrl+Alt+G") != std::string::npos; });
    })) << "the title says how to get out";
    compositor->key(KEY_G, false);
    compositor->key(KEY_G, true);
    EXPECT_TRUE(until([this] {
        return compositor->with(
            [](auto &state) { return state.title.find("Ctrl+Alt+G") == std::string::npos; });
    }));
    EXPECT_TRUE(says("@0,0 +29 +56 ")) << recorder.said;
}

TEST_F(Input, AClickGrabsAPointerThatTakesMovements)
{
    recorder.takes_positions = false;
    compositor->focus(true);
    compositor->move(10, 10);
    compositor->button(BTN_LEFT, true);
    compositor->button(BTN_LEFT, false);
    compositor->button(BTN_LEFT, true);
    EXPECT_TRUE(says("+b0 ")) << "the first click is for the window: " << recorder.said;
}

TEST(Keymap, WhatAKeyboardHas)
{
    EXPECT_EQ(qnum_of_key(KEY_A), 0x1eU);
    EXPECT_EQ(qnum_of_key(KEY_ESC), 1U);
    EXPECT_EQ(qnum_of_key(KEY_F12), 0x58U);
    EXPECT_EQ(qnum_of_key(KEY_102ND), 0x56U);
    EXPECT_EQ(qnum_of_key(KEY_RIGHTALT), 0xb8U);
    EXPECT_EQ(qnum_of_key(KEY_UP), 0xc8U);
    EXPECT_EQ(qnum_of_key(KEY_LEFTMETA), 0xdbU);
    EXPECT_EQ(qnum_of_key(KEY_RESERVED), std::nullopt);
    EXPECT_EQ(qnum_of_key(KEY_MICMUTE), std::nullopt);
    EXPECT_EQ(qnum_of_key(UINT32_MAX), std::nullopt);
}

TEST(Keymap, NoTwoKeysAreOne)
{
    std::set<uint32_t> seen;
    for (uint32_t key = 0; key <= KEY_MAX; key++) {
        if (const auto qnum = qnum_of_key(key)) {
            EXPECT_TRUE(seen.insert(*qnum).second) << key;
            EXPECT_LE(*qnum, 0xffU);
        }
    }
    EXPECT_GT(seen.size(), 120U);
}

TEST(Keymap, Buttons)
{
    EXPECT_EQ(button_of(BTN_LEFT), 0U);
    EXPECT_EQ(button_of(BTN_MIDDLE), 1U);
    EXPECT_EQ(button_of(BTN_RIGHT), 2U);
    EXPECT_EQ(button_of(BTN_STYLUS), std::nullopt);
}

} // namespace
} // namespace vramlink::test
