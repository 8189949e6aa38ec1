// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/log.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <utility>

namespace vramlink {

bool TokenBucket::take(Clock::Time now) noexcept
{
    const auto earned = (now - last_refill_) / refill;
    if (earned > 0) {
        tokens_ = static_cast<uint32_t>(std::min<int64_t>(burst, tokens_ + std::min<int64_t>(burst, earned)));
        last_refill_ = tokens_ == burst ? now : last_refill_ + earned * refill;
    }
    if (tokens_ == 0) {
        ++left_out_;
        return false;
    }
    --tokens_;
    return true;
}

uint64_t TokenBucket::take_left_out() noexcept
{
    return std::exchange(left_out_, 0);
}

void Log::say(vrl_log_level level, const char *sentence) noexcept
{
    if (ops_.log == nullptr)
        return;
    TokenBucket &bucket = buckets_[std::min<size_t>(level, levels - 1)];
    if (!bucket.take(clock_.now()))
        return;
    const uint64_t left_out = bucket.take_left_out();
    if (left_out == 0) {
        ops_.log(opaque_, level, sentence);
        return;
    }
    std::array<char, 512> text{};
    std::snprintf(text.data(), text.size(), "%s (%" PRIu64 " sentences left out before this one)", sentence,
                  left_out);
    ops_.log(opaque_, level, text.data());
}

} // namespace vramlink
