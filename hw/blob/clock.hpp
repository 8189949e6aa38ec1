// SPDX-License-Identifier: GPL-2.0-or-later
//
// Clock: monotonic time, and waiting for it to pass, so that a test can set it.

#ifndef VRAMLINK_HW_BLOB_CLOCK_HPP
#define VRAMLINK_HW_BLOB_CLOCK_HPP

#include <chrono>
#include <cstdint>
#include <ctime>

namespace vramlink {

class Clock {
  public:
    using Time = std::chrono::steady_clock::time_point;

    Clock() = default;
    virtual ~Clock() = default;
    Clock(const Clock &) = delete;
    Clock &operator=(const Clock &) = delete;

    [[nodiscard]] virtual Time now() const noexcept { return std::chrono::steady_clock::now(); }
    /// Sleeps for about a millisecond.
    virtual void pause() const noexcept
    {
        constexpr timespec millisecond{0, 1'000'000};
        (void)::nanosleep(&millisecond, nullptr);
    }
};

/// For the stats; time does not run backwards.
[[nodiscard]] inline uint64_t nanoseconds(Clock::Time::duration took) noexcept
{
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count());
}

} // namespace vramlink

#endif
