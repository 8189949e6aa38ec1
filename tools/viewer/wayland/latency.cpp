// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/latency.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <vector>

namespace vramlink {
namespace {

constexpr std::array<uint64_t, 7> histogram_limits_us{2000, 4000, 8000, 17000, 34000, 68000, UINT64_MAX};

} // namespace

nlohmann::json Latency::summary() const
{
    std::vector<uint64_t> sorted(last_.begin(), last_.begin() + std::min<uint64_t>(count_, kept));
    std::ranges::sort(sorted);
    const auto at = [&](size_t percent) {
        return sorted.empty() ? nlohmann::json()
                              : nlohmann::json(sorted[(sorted.size() - 1) * percent / 100]);
    };
    nlohmann::json histogram = nlohmann::json::array();
    auto from = sorted.begin();
    for (const uint64_t below : histogram_limits_us) {
        const auto to = std::lower_bound(from, sorted.end(), below);
        const bool last = below == histogram_limits_us.back();
        histogram.push_back(
            {{"below_us", last ? nlohmann::json() : nlohmann::json(below)}, {"frames", to - from}});
        from = to;
    }
    return {{"frames", count_},
            {"median_us", at(50)},
            {"p95_us", at(95)},
            {"max_us", at(100)},
            {"histogram", std::move(histogram)}};
}

} // namespace vramlink
