// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef VRAMLINK_TESTS_RACES_FINDING_HPP
#define VRAMLINK_TESTS_RACES_FINDING_HPP

#include <stdexcept>

namespace vramlink::test {

/// What a race has shown: a sentence.
struct Finding : std::runtime_error {
    using std::runtime_error::runtime_error;
};

} // namespace vramlink::test

#endif
