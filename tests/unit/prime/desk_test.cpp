// SPDX-License-Identifier: GPL-2.0-or-later
//
// Desk: one pointer and one keyboard for monitors side by side.

#include "tests/unit/prime/input_recorder.hpp"
#include "tools/viewer/kms/desk.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace vramlink::test {
namespace {

class Monitor final : public DeskScreen {
  public:
    explicit Monitor(Extent2 size) : size_(size) {}
    [[nodiscard]] InputSink *input() const override { return has_guest ? &guest : nullptr; }
    [[nodiscard]] Extent2 seen() const override { return size_; }
    void point_at(int x, int y) override { pointer = fmt::format("{},{}", x, y); }
    void point_away() override { pointer = "away"; }
    std::string heard() { return std::exchange(guest.said, ""); }

    mutable InputRecorder guest;
    bool has_guest = true;
    std::string pointer;

  private:
    Extent2 size_;
};

class OneDesk : public ::testing::Test {
  protected:
    void SetUp() override
    {
        desk.add(left);
        desk.add(right);
    }
    void press(uint32_t key)
    {
        desk.key(key, true);
        desk.key(key, false);
    }

    Desk desk;
    Monitor left{{1000, 500}}, right{{800, 1000}};
};

TEST_F(OneDesk, ATabletIsToldPlacesInsideTheFrame)
{
    desk.move_by({100.4, 50, 0, 0});
    desk.move_by({0.7, 0, 0, 0});
    EXPECT_EQ(left.heard(), "@100,50 @101,50 ");
    EXPECT_EQ(left.pointer, "101,50");
    desk.move_by({-500, -500, 0, 0});
    EXPECT_EQ(left.heard(), "@0,0 ");
    desk.move_by({0, 5000, 0, 0});
    EXPECT_EQ(left.heard(), "@0,499 ");
    desk.move_to({0.5, 0.5});
    EXPECT_EQ(left.heard(), "@500,250 ");
}

TEST_F(OneDesk, AMouseIsToldWhatTheDeviceSaid)
{
    left.guest.takes_positions = false;
    desk.move_by({10, 10, 0.6, -1.5});
    desk.move_by({10, 10, 0.6, -1.5});
    EXPECT_EQ(left.heard(), "~0,-1 ~1,-2 ");
    EXPECT_EQ(left.pointer, "") << "the guest puts it";
    desk.move_to({0.1, 0.1});
    left.heard();
    desk.move_to({0.2, 0.1});
    EXPECT_EQ(left.heard(), "~100,0 ") << "a tablet of the host moves the guest's mouse";
}

TEST_F(OneDesk, ThePointerCrossesToTheNextMonitorWithWhatIsHeld)
{
    desk.move_to({0.9, 0.5});
    desk.key(KEY_A, true);
    desk.button(BTN_LEFT, true);
    left.heard();
    desk.move_by({200, 0, 0, 0});
    EXPECT_EQ(left.heard(), "") << "a window is being dragged";
    EXPECT_EQ(left.pointer, "away");
    EXPECT_EQ(right.heard(), "@0,500 ") << "as high as it was, in proportion";
    desk.button(BTN_LEFT, false);
    desk.key(KEY_A, false);
    EXPECT_EQ(left.heard() + "/" + right.heard(), "-b0 -30 /")
        << "who was told of the press is told of its end";
    press(KEY_B);
    desk.wheel(0, 1);
    EXPECT_EQ(right.heard(), "+48 -48 w0,1 ");
    desk.move_by({-10, 0, 0, 0});
    EXPECT_EQ(left.heard(), "@999,249 ");
    EXPECT_EQ(right.pointer, "away");
}

TEST_F(OneDesk, TheOuterEdgesHoldThePointer)
{
    desk.move_by({-10, 0, 0, 0});
    EXPECT_EQ(left.heard(), "@0,0 ");
    desk.move_by({5000, 0, 0, 0});
    right.heard();
    desk.move_by({5000, 0, 0, 0});
    EXPECT_EQ(right.heard(), "@799,0 ");
}

TEST_F(OneDesk, WhereAMonitorGoesThePointerMovesOn)
{
    desk.move_by({5000, 0, 0, 0});
    desk.key(KEY_A, true);
    right.heard();
    desk.forget(&right.guest);
    desk.remove(right);
    desk.key(KEY_A, false);
    EXPECT_EQ(right.heard(), "") << "it is gone";
    press(KEY_B);
    EXPECT_EQ(left.heard(), "+48 -48 ");
    desk.remove(left);
    press(KEY_B);
    desk.move_by({1, 1, 1, 1});
    desk.move_to({0.5, 0.5});
    desk.touch(TouchKind::begin, 0, {});
    EXPECT_EQ(left.heard() + right.heard(), "");
}

TEST_F(OneDesk, TheMonitorBeforeThePointersGoesAndNothingElseChanges)
{
    desk.move_by({5000, 0, 0, 0});
    desk.key(KEY_A, true);
    right.heard();
    desk.remove(left);
    EXPECT_EQ(right.heard(), "");
    desk.key(KEY_A, false);
    EXPECT_EQ(right.heard(), "-30 ");
}

TEST_F(OneDesk, WithControlAndAltSomeKeysAreForUs)
{
    unsigned terminal = 0;
    int quits = 0;
    desk.on_terminal = [&](unsigned which) { terminal = which; };
    desk.on_quit = [&] { ++quits; };
    press(KEY_F2);
    press(KEY_Q);
    EXPECT_EQ(terminal, 0U);
    EXPECT_EQ(quits, 0);
    left.heard();
    desk.key(KEY_RIGHTCTRL, true);
    desk.key(KEY_LEFTALT, true);
    left.heard();
    press(KEY_F2);
    EXPECT_EQ(terminal, 2U);
    press(KEY_F12);
    EXPECT_EQ(terminal, 12U);
    press(KEY_Q);
    EXPECT_EQ(quits, 1);
    EXPECT_EQ(left.heard(), "") << "the guest hears none of it";
    press(KEY_T);
    EXPECT_EQ(left.heard(), "+20 -20 ");
    desk.release_all();
    EXPECT_EQ(left.heard(), "-56 -97 ");
}

TEST_F(OneDesk, FingersBeginBeforeTheyMoveAndQemuHasTenSlots)
{
    desk.touch(TouchKind::update, 0, {0.5, 0.5});
    desk.touch(TouchKind::begin, InputSink::touch_slots, {});
    EXPECT_EQ(left.heard(), "");
    desk.touch(TouchKind::begin, 1, {0.5, 0.5});
    desk.touch(TouchKind::begin, 1, {0.5, 0.5});
    desk.touch(TouchKind::update, 1, {2, 1});
    desk.touch(TouchKind::end, 1, {});
    desk.touch(TouchKind::end, 1, {});
    EXPECT_EQ(left.heard(), "t1.0@500,250 t1.1@999,499 t1.2@0,0 ");
    desk.touch(TouchKind::begin, 2, {});
    desk.release_all();
    EXPECT_EQ(left.heard(), "t2.0@0,0 t2.3@0,0 ");
}

TEST_F(OneDesk, NobodyListensYet)
{
    left.has_guest = false;
    desk.move_by({5, 5, 5, 5});
    desk.move_to({0.5, 0.5});
    press(KEY_A);
    desk.button(BTN_LEFT, true);
    desk.wheel(1, 1);
    EXPECT_EQ(left.heard(), "");
}

} // namespace
} // namespace vramlink::test
