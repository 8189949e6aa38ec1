// SPDX-License-Identifier: GPL-2.0-or-later
//
// Stopwatch: microseconds of the monotonic clock since its construction.

#ifndef VRAMLINK_TESTS_DEMO_STOPWATCH_HPP
#define VRAMLINK_TESTS_DEMO_STOPWATCH_HPP

#include <chrono>
#include <cstdint>

namespace vramlink::demo {

class Stopwatch {
  public:
    [[nodiscard]] std::int64_t us() const
    {
        using namespace std::chrono;
        return duration_cast<microseconds>(steady_clock::now() - start_).count();
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace vramlink::demo

#endif
