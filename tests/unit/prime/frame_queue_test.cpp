// SPDX-License-Identifier: GPL-2.0-or-later
//
// The state machine that decides what is shown and when the guest hears of it.

#include "hw/prime/frame_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace vramlink::test {
namespace {

FrameRef buffer()
{
    return std::make_shared<Showable>();
}

class Queue : public ::testing::Test {
  protected:
    Completion says(const std::string &what)
    {
        return Completion([this, what] { said += what; });
    }
    FrameQueue queue;
    std::string said;
    FrameRef a = buffer(), b = buffer(), c = buffer();
};

TEST_F(Queue, UpdateIsAnsweredWhenItsFlipHasEnded)
{
    queue.scanout(a);
    EXPECT_EQ(queue.take(), nullptr) << "not before its content is complete";
    queue.update(says("1"));
    EXPECT_EQ(queue.take(), a);
    EXPECT_EQ(said, "");
    EXPECT_EQ(queue.take(), nullptr) << "one flip at a time";
    queue.flip_done();
    EXPECT_EQ(said, "1");
    EXPECT_EQ(queue.on_screen(), a);
    EXPECT_EQ(queue.take(), nullptr) << "nothing new";
}

TEST_F(Queue, UpdateDuringItsFlipNeedsAnotherFlip)
{
    queue.scanout(a);
    queue.update(says("1"));
    ASSERT_EQ(queue.take(), a);
    queue.update(says("2"));
    queue.update(says("3"));
    queue.flip_done();
    EXPECT_EQ(said, "1") << "the flip began before updates 2 and 3";
    EXPECT_EQ(queue.take(), a);
    queue.flip_done();
    EXPECT_EQ(said, "123") << "coalesced into one flip";
    EXPECT_EQ(queue.take(), nullptr);
}

TEST_F(Queue, FrameThatIsReplacedIsAnsweredAtOnceAndNeverShown)
{
    queue.scanout(a);
    queue.update(says("a"));
    ASSERT_EQ(queue.take(), a);
    queue.scanout(b);
    queue.update(says("b"));
    queue.scanout(c);
    EXPECT_EQ(said, "b");
    queue.update(says("c"));
    queue.flip_done();
    EXPECT_EQ(queue.take(), c);
    queue.flip_done();
    EXPECT_EQ(said, "bac");
}

TEST_F(Queue, ScanoutOfTheSameBufferChangesNothing)
{
    queue.scanout(a);
    queue.update(says("1"));
    queue.scanout(a);
    EXPECT_EQ(said, "");
    EXPECT_EQ(queue.take(), a);
}

TEST_F(Queue, NothingShownAnswersAtOnce)
{
    queue.update(says("1"));
    EXPECT_EQ(said, "1");
    EXPECT_EQ(queue.take(), nullptr);
}

TEST_F(Queue, RefusedFlipDoesNotHoldTheGuest)
{
    queue.scanout(a);
    queue.update(says("1"));
    ASSERT_EQ(queue.take(), a);
    queue.update(says("2"));
    queue.flip_failed();
    EXPECT_EQ(said, "1");
    EXPECT_EQ(queue.take(), a) << "the next update tries again";
}

TEST_F(Queue, FrameWithoutAnUpdateIsShownWhenOverdue)
{
    EXPECT_FALSE(queue.overdue());
    queue.scanout(a);
    EXPECT_TRUE(queue.overdue());
    EXPECT_EQ(queue.take(), a);
    EXPECT_FALSE(queue.overdue()) << "under way";
    queue.flip_done();
    EXPECT_FALSE(queue.overdue()) << "on the screen";
}

TEST_F(Queue, OverdueFrameBehindAnotherFlip)
{
    queue.scanout(a);
    queue.update({});
    queue.take();
    queue.flip_done();
    queue.scanout(b);
    queue.update({});
    ASSERT_EQ(queue.take(), b);
    queue.scanout(a); // on the screen now, but not once b's flip has ended
    EXPECT_TRUE(queue.overdue());
    queue.flip_done();
    EXPECT_EQ(queue.take(), a);
}

TEST_F(Queue, ClearAnswersEverybodyAndDropsEveryReference)
{
    queue.scanout(a);
    queue.update(says("1"));
    queue.take();
    queue.flip_done();
    queue.scanout(b);
    queue.update(says("2"));
    queue.take();
    queue.update(says("3"));
    queue.clear();
    std::sort(said.begin(), said.end());
    EXPECT_EQ(said, "123");
    EXPECT_EQ(a.use_count(), 1);
    EXPECT_EQ(b.use_count(), 1);
    queue.flip_done(); // a late event
    EXPECT_EQ(queue.on_screen(), nullptr);
}

TEST_F(Queue, ReferencesAreDroppedBeforeTheGuestHearsOfIt)
{
    queue.scanout(a);
    queue.update(Completion([this] { said = a.use_count() == 1 ? "dropped" : "held"; }));
    queue.take();
    queue.clear();
    EXPECT_EQ(said, "dropped");
}

/// Whatever the order of events: every update is answered once, and none before a flip that began after it,
/// unless its frame was replaced, cleared or refused.
TEST(QueueProperty, EveryUpdateIsAnsweredExactlyOnce)
{
    std::mt19937 random(20240607); // NOLINT: a fixed seed makes failures repeatable
    for (int round = 0; round < 500; round++) {
        std::vector<int> answers;
        {
            FrameQueue queue;
            const std::vector<FrameRef> buffers{buffer(), buffer(), buffer()};
            for (int step = 0; step < 60; step++) {
                switch (random() % 8) {
                case 0:
                case 1:
                    queue.scanout(buffers[random() % buffers.size()]);
                    break;
                case 2:
                case 3: {
                    const size_t n = answers.size();
                    answers.push_back(0);
                    queue.update(Completion([&answers, n] { ++answers[n]; }));
                    break;
                }
                case 4:
                    queue.take();
                    break;
                case 5:
                    queue.flip_done();
                    break;
                case 6:
                    random() % 4 ? (void)queue.overdue() : queue.flip_failed();
                    break;
                default:
                    if (random() % 8 == 0)
                        queue.clear();
                }
                for (const int count : answers)
                    ASSERT_LE(count, 1);
            }
        }
        for (const int count : answers)
            ASSERT_EQ(count, 1);
    }
}

} // namespace
} // namespace vramlink::test
