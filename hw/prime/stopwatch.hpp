// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_HW_PRIME_STOPWATCH_HPP
#define VRAMLINK_HW_PRIME_STOPWATCH_HPP

#include <chrono>
#include <cstdint>

namespace vramlink {

/// Time since it was made.
class Stopwatch {
  public:
    [[nodiscard]] uint64_t microseconds() const
    {
        const auto passed = std::chrono::steady_clock::now() - start_;
        return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace vramlink

#endif
