// SPDX-License-Identifier: GPL-2.0-or-later
//
// Log: sentences to the VMM, rate limited, so that a guest cannot fill the host's disk with its mistakes.
//
// One token bucket a level: a guest's flood does not hide what the host has to say. Ten sentences at once,
// then one each two seconds; the first sentence after a silence says how many were left out.

#ifndef VRAMLINK_HW_BLOB_LOG_HPP
#define VRAMLINK_HW_BLOB_LOG_HPP

#include "hw/blob/clock.hpp"
#include "vramlink/blob_table.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

namespace vramlink {

class TokenBucket {
  public:
    static constexpr uint32_t burst = 10;
    static constexpr std::chrono::seconds refill{2}; ///< for one token

    /// True when a sentence may pass at @p now; counts it as left out otherwise.
    [[nodiscard]] bool take(Clock::Time now) noexcept;
    /// How many were left out since the last one that passed; forgets them.
    [[nodiscard]] uint64_t take_left_out() noexcept;

  private:
    uint32_t tokens_ = burst;
    Clock::Time last_refill_{};
    uint64_t left_out_ = 0;
};

class Log {
  public:
    /// Borrows @p clock. @p ops is copied.
    Log(const vrl_ops &ops, void *opaque, const Clock &clock) noexcept
        : ops_(ops), opaque_(opaque), clock_(clock)
    {
    }

    /// @p sentence without a newline. Does not throw: a sentence that memory is missing for is cut short.
    void say(vrl_log_level level, const char *sentence) noexcept;
    void say(vrl_log_level level, const std::string &sentence) noexcept { say(level, sentence.c_str()); }

  private:
    static constexpr size_t levels = 3;

    vrl_ops ops_;
    void *opaque_;
    const Clock &clock_;
    std::array<TokenBucket, levels> buckets_;
};

} // namespace vramlink

#endif
