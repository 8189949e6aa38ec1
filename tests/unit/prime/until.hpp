// SPDX-License-Identifier: GPL-2.0-or-later
//
// Running the default main context until something has come about.

#ifndef VRAMLINK_TESTS_UNIT_PRIME_UNTIL_HPP
#define VRAMLINK_TESTS_UNIT_PRIME_UNTIL_HPP

#include <glib.h>

#include <cstdint>
#include <functional>

namespace vramlink::test {

/// Microseconds that a busy machine is given.
inline constexpr int64_t patience_us = 20 * G_USEC_PER_SEC;

/// What @p reached says in the end, after @p limit_us at the latest.
inline bool until(const std::function<bool()> &reached, int64_t limit_us = patience_us)
{
    const int64_t limit = g_get_monotonic_time() + limit_us;
    while (!reached() && g_get_monotonic_time() < limit) {
        if (!g_main_context_iteration(nullptr, FALSE))
            g_usleep(1000);
    }
    return reached();
}

} // namespace vramlink::test

#endif
