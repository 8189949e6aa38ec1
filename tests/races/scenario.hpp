// SPDX-License-Identifier: GPL-2.0-or-later
//
// Scenario: one kind of race. A play is one guest, in which rounds are run; each round draws what it does and
// when from its seed.

#ifndef VRAMLINK_TESTS_RACES_SCENARIO_HPP
#define VRAMLINK_TESTS_RACES_SCENARIO_HPP

#include "tests/device/fuzz/random.hpp"
#include "tests/races/guest.hpp"

#include <memory>
#include <span>

namespace vramlink::test {

class Play {
  public:
    Play() = default;
    virtual ~Play() = default;
    Play(const Play &) = delete;
    Play &operator=(const Play &) = delete;

    /// Throws a Finding, or fails GoogleTest's way.
    virtual void round(Random &random) = 0;
};

struct Scenario {
    const char *name;
    const char *what; ///< in a test's words
    bool needs_vfio;
    std::unique_ptr<Play> (*begin)(const Setup &setup);
};

[[nodiscard]] std::span<const Scenario> scenarios();

// One for each scenario.
[[nodiscard]] std::unique_ptr<Play> play_answers(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_scanout(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_convert(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_entries(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_commands(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_descriptors(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_reset(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_reset_eject(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_loss(const Setup &setup);
/// Before a window of QEMU's own process, and of the 3D device: those are the main loop's.
[[nodiscard]] std::unique_ptr<Play> play_loss_window(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_loss_gl(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_starve_control(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_starve_cursor(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_config_eject(const Setup &setup);
[[nodiscard]] std::unique_ptr<Play> play_config_reads(const Setup &setup);

/// A number of pauses from 0 to 2^most - 1, each order of magnitude as likely as the others.
[[nodiscard]] inline std::uint32_t pauses(Random &random, unsigned most)
{
    return random.in32(0, (1u << random.in(0, most)) - 1);
}

} // namespace vramlink::test

#endif
