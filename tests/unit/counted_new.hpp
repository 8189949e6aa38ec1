// SPDX-License-Identifier: GPL-2.0-or-later
//
// operator new, replaced for the whole program: it counts, and it fails when told to.

#ifndef VRAMLINK_TESTS_UNIT_COUNTED_NEW_HPP
#define VRAMLINK_TESTS_UNIT_COUNTED_NEW_HPP

#include <cstdint>

namespace vramlink::test {

/// Allocations since the program started.
extern uint64_t allocations;
/// Allocations that still succeed before one fails; negative: none fails.
extern int64_t until_failure;

} // namespace vramlink::test

#endif
