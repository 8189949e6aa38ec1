// SPDX-License-Identifier: GPL-2.0-or-later
//
// A consumer of a machine's D-Bus display, which takes everything and answers nothing (stuck_consumer.h).

#ifndef VRAMLINK_TESTS_DEVICE_CONSUMER_HPP
#define VRAMLINK_TESTS_DEVICE_CONSUMER_HPP

#include "tests/device/machine.hpp"
#include "tests/device/stuck_consumer.h"

#include <memory>

namespace vramlink::test {

using Consumer = std::unique_ptr<stuck_consumer, decltype(&stuck_consumer_free)>;

/// Null, with a sentence on stderr, when QEMU does not let it in.
[[nodiscard]] Consumer connect_consumer(Machine &machine);

} // namespace vramlink::test

#endif
