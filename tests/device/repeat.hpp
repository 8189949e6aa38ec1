// SPDX-License-Identifier: GPL-2.0-or-later
//
// How often a test repeats what it does: ./dev test covers every kind of thing, ./dev test long does it more
// often.

#ifndef VRAMLINK_TESTS_DEVICE_REPEAT_HPP
#define VRAMLINK_TESTS_DEVICE_REPEAT_HPP

#include <cstdlib>

namespace vramlink::test {

/// @p few, or @p many where VRAMLINK_LONG is set.
[[nodiscard]] inline unsigned repetitions(unsigned few, unsigned many)
{
    const char *wish = std::getenv("VRAMLINK_LONG");
    return wish != nullptr && *wish != '\0' ? many : few;
}

} // namespace vramlink::test

#endif
