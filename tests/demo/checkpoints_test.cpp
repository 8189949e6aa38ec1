// SPDX-License-Identifier: GPL-2.0-or-later
#include "painter.hpp"

#include <gtest/gtest.h>

namespace vramlink::demo {
namespace {

unsigned count(std::uint32_t frames, unsigned checkpoints)
{
    unsigned found = 0;
    for (std::uint32_t frame = 1; frame <= frames; ++frame)
        found += is_checkpoint(frame, frames, checkpoints) ? 1 : 0;
    return found;
}

TEST(Checkpoints, TheFirstAndTheLastFrameAreAmongThem)
{
    for (std::uint32_t frames = 1; frames < 200; ++frames) {
        EXPECT_TRUE(is_checkpoint(1, frames, 8));
        EXPECT_TRUE(is_checkpoint(frames, frames, 8)) << frames;
    }
}

TEST(Checkpoints, AreAsManyAsAsked)
{
    EXPECT_EQ(count(60, 8), 9U);
    EXPECT_EQ(count(1000, 20), 21U);
    EXPECT_EQ(count(5, 8), 5U) << "never more than frames";
}

} // namespace
} // namespace vramlink::demo
