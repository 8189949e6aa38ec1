// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/latency.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <vector>

namespace vramlink {

nlohmann::json Latency::summary() const
{
    std::vector<uint64_t> sorted(last_.begin(), last_.begin() + std::min<uint64_t>(count_, kept));
    std::ranges::sort(sorted);
    const auto at = [&](size_t percent) {
        return sorted.empty() ? nlohmann::json()
                              : nlohmann::json(sorted[(sorted.size() - 1) * percent / 100]);
    };
    return {{"frames", count_}, {"median_us", at(50)}, {"p95_us", at(95)}, {"max_us", at(100)}};
}

} // namespace vramlink
