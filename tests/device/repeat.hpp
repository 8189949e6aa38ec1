// SPDX-License-Identifier: GPL-2.0-or-later
//
// How much a test does: ./dev test covers every kind of thing, ./dev test long does it more often, and has
// rows that repeat what others show.

#ifndef VRAMLINK_TESTS_DEVICE_REPEAT_HPP
#define VRAMLINK_TESTS_DEVICE_REPEAT_HPP

#include <cstdlib>

namespace vramlink::test {

/// Whether VRAMLINK_LONG is set.
[[nodiscard]] inline bool is_long_run()
{
    const char *wish = std::getenv("VRAMLINK_LONG");
    return wish != nullptr && *wish != '\0';
}

/// @p few, or @p many in the long run.
[[nodiscard]] inline unsigned repetitions(unsigned few, unsigned many)
{
    return is_long_run() ? many : few;
}

} // namespace vramlink::test

#endif
