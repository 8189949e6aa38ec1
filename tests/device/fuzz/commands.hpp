// SPDX-License-Identifier: GPL-2.0-or-later
//
// Commands: what a random guest says on the control and cursor queues. Whole commands on few ids, so that
// they meet each other; numbers near the limits; and whole commands with bytes changed, cut off or added.

#ifndef VRAMLINK_TESTS_DEVICE_FUZZ_COMMANDS_HPP
#define VRAMLINK_TESTS_DEVICE_FUZZ_COMMANDS_HPP

#include "tests/device/fuzz/random.hpp"
#include "tests/device/gpu.hpp"

#include <cstdint>
#include <vector>

namespace vramlink::test {

/// Guest addresses that a random entry may name.
struct Places {
    struct Stretch {
        std::uint64_t address;
        std::uint64_t size; ///< bytes
    };
    std::vector<Stretch> memory; ///< BARs and RAM, there or not
    std::vector<Stretch> none;   ///< registers, holes
};

[[nodiscard]] Bytes random_command(Random &random, const Places &places);
[[nodiscard]] Bytes random_cursor_command(Random &random);

/// "SET_SCANOUT_BLOB of 4, 96 bytes", for the trace.
[[nodiscard]] std::string described(const Bytes &command);

} // namespace vramlink::test

#endif
