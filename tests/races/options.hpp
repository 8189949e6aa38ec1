// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef VRAMLINK_TESTS_RACES_OPTIONS_HPP
#define VRAMLINK_TESTS_RACES_OPTIONS_HPP

#include "tests/races/guest.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace vramlink::test {

/// What the command line asks for.
struct Options {
    Setup setup{};
    std::uint64_t seed = 1;
    std::uint64_t rounds = ~std::uint64_t{0}; ///< of each scenario
    double seconds = 0;                       ///< for all together; 0: until all rounds have been run
    bool same = false;                        ///< each round has the same seed
    std::vector<std::string> accels{};        ///< "tcg", "kvm": each scenario runs under each of them
    std::vector<std::string> scenarios{};     ///< empty: all that can run here
};

/// Ends the program, with a sentence, on anything that it does not know.
[[nodiscard]] Options options_of(int argc, char **argv);

} // namespace vramlink::test

#endif
