// SPDX-License-Identifier: GPL-2.0-or-later
//
// Clock: monotonic time, so that a test can set it.

#ifndef VRAMLINK_HW_BLOB_CLOCK_HPP
#define VRAMLINK_HW_BLOB_CLOCK_HPP

#include <chrono>

namespace vramlink {

class Clock {
  public:
    using Time = std::chrono::steady_clock::time_point;

    Clock() = default;
    virtual ~Clock() = default;
    Clock(const Clock &) = delete;
    Clock &operator=(const Clock &) = delete;

    [[nodiscard]] virtual Time now() const noexcept { return std::chrono::steady_clock::now(); }
};

} // namespace vramlink

#endif
