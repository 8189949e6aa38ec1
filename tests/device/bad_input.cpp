// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/bad_input.hpp"

#include "tests/device/shared.hpp"

#include <cstdlib>
#include <ostream>
#include <string>

namespace vramlink::test {

namespace {

constexpr int sentences_at_once = 10; // hw/blob/log.hpp

/// What a mistake may not change.
struct Footprint {
    Held held;
    Json totals;
};

Footprint footprint(Machine &machine)
{
    return {machine.held(), machine.stats()["totals"]};
}

void expect_same(const Footprint &after, const Footprint &before)
{
    constexpr std::uint64_t slack = 4ull << 20;
    expect_same(after.held, before.held);
    EXPECT_LE(after.held.rss, before.held.rss + slack);
    expect_same_totals(after.totals, before.totals);
}

} // namespace

void PrintTo(const Mistake &row, std::ostream *out)
{
    *out << row.name;
}

int BadInput::said_ = sentences_at_once;

Ground &BadInput::talking_ground()
{
    if (said_ == sentences_at_once) {
        Shared::end();
        said_ = 0;
    }
    said_++;
    return Ground::shared(ground_options(Where::Ivshmem));
}

Ground &BadInput::tired_ground()
{
    said_ = sentences_at_once;
    return Ground::shared(ground_options(Where::Ivshmem));
}

/// The answer, one sentence with every word in it; everything is as it was.
TEST_P(BadInput, IsRefused)
{
    Ground &ground = talking_ground();
    const Bytes request = GetParam().request(ground);
    const Footprint before = footprint(ground.machine);
    EXPECT_STREQ(answer_name(ground.gpu.send(request)), GetParam().answer);
    const std::string messages = ground.machine.new_messages();
    EXPECT_EQ(sentences(messages).size(), 1u) << "QEMU said: " << messages;
    for (const char *word : GetParam().words)
        EXPECT_NE(messages.find(word), std::string::npos) << "no \"" << word << "\" in: " << messages;
    ground.check_alive();
    expect_same(footprint(ground.machine), before);
}

TEST_P(BadInput, CostsNothingFortyTimes)
{
    constexpr int repetitions = 40;
    constexpr std::size_t burst = 12; // the rate limit: ten at once, and a few with time

    Ground &ground = tired_ground();
    const Bytes request = GetParam().request(ground);
    EXPECT_STREQ(answer_name(ground.gpu.send(request)), GetParam().answer);
    ASSERT_NO_FATAL_FAILURE(ground.check_alive());
    const Footprint before = footprint(ground.machine);
    for (int i = 0; i < repetitions; i++)
        EXPECT_STREQ(answer_name(ground.gpu.send(request)), GetParam().answer);
    EXPECT_LE(sentences(ground.machine.new_messages()).size(), burst) << "the guest can flood the log";
    ground.check_alive();
    expect_same(footprint(ground.machine), before);
}

TEST_P(BadInputOnGl, IsRefused)
{
    ASSERT_NE(std::getenv("VRAMLINK_GL_DISPLAY"), nullptr) << "no display with GL is named";
    Ground &ground = Ground::shared(gl_ground_options(Where::Ivshmem));
    const std::uint32_t answer = ground.gpu.send(GetParam().request(ground));
    if (std::string(GetParam().name) ==
        "HostMemory") /* QEMU's own answer, which depends on its virglrenderer */
        EXPECT_STRNE(answer_name(answer), "OK");
    else
        EXPECT_STREQ(answer_name(answer), GetParam().answer);
    ground.check_alive();
}

} // namespace vramlink::test
