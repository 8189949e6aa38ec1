// SPDX-License-Identifier: GPL-2.0-or-later
//
// Measures: named numbers of one run, for tests/bench/report, which knows what they are compared with.

#ifndef VRAMLINK_TESTS_BENCH_MEASURES_HPP
#define VRAMLINK_TESTS_BENCH_MEASURES_HPP

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace vramlink::test {

class Measures {
  public:
    explicit Measures(std::string path) : path_(std::move(path)) {}

    /// Written at once, so that what was measured before a failure is not lost.
    void set(const std::string &name, double value)
    {
        all_[name] = value;
        std::ofstream(path_) << all_.dump(1) << "\n";
    }

    /// NAME/p50_us, NAME/p99_us and NAME/max_us.
    void set_percentiles(const std::string &name, std::vector<double> us)
    {
        constexpr double p99 = 0.99;
        std::sort(us.begin(), us.end());
        set(name + "/p50_us", us[us.size() / 2]);
        set(name + "/p99_us", us[static_cast<std::size_t>(p99 * static_cast<double>(us.size() - 1))]);
        set(name + "/max_us", us.back());
    }

  private:
    std::string path_;
    nlohmann::ordered_json all_ = nlohmann::ordered_json::object();
};

/// Of an odd number of values the middle one.
[[nodiscard]] inline double median(std::vector<double> values)
{
    if (values.empty())
        return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

} // namespace vramlink::test

#endif
