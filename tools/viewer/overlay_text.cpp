// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/overlay_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>

namespace vramlink {
namespace {

using nlohmann::json;

uint64_t number(const json &stats, const char *key)
{
    const auto found = stats.find(key);
    return found != stats.end() && found->is_number() ? found->get<uint64_t>() : 0;
}

std::string text(const json &stats, const char *key)
{
    const auto found = stats.find(key);
    return found != stats.end() && found->is_string() ? found->get<std::string>() : "";
}

/// @p sentence in lines, broken at spaces where there are any.
void wrap(std::vector<std::string> &lines, std::string sentence)
{
    while (sentence.size() > overlay_columns) {
        size_t end = sentence.rfind(' ', overlay_columns);
        const bool at_space = end != std::string::npos && end > 2;
        end = at_space ? end : overlay_columns;
        lines.push_back(sentence.substr(0, end));
        sentence = "  " + sentence.substr(end + (at_space ? 1 : 0));
    }
    lines.push_back(std::move(sentence));
}

void add_latency(std::vector<std::string> &lines, const json &latency)
{
    if (number(latency, "frames") == 0)
        return;
    const auto ms = [&](const char *key) { return static_cast<double>(number(latency, key)) / 1000; };
    lines.push_back(fmt::format("latency: median {:.1f} ms, 95 % {:.1f} ms, max {:.1f} ms", ms("median_us"),
                                ms("p95_us"), ms("max_us")));
    const json bars = latency.value("histogram", json::array());
    uint64_t most = 1;
    for (const auto &bar : bars)
        most = std::max(most, number(bar, "frames"));
    for (const auto &bar : bars) {
        constexpr uint64_t longest = 40;
        const std::string limit =
            bar.at("below_us").is_null() ? "more" : fmt::format("<{} ms", number(bar, "below_us") / 1000);
        lines.push_back(fmt::format("{:>8} {:>5} {}", limit, number(bar, "frames"),
                                    std::string(number(bar, "frames") * longest / most, '#')));
    }
}

} // namespace

std::vector<std::string> overlay_lines(const json &stats)
{
    std::vector<std::string> lines;
    lines.push_back(fmt::format("showing {}{}", text(stats, "showing"),
                                stats.value("connected", false) ? "" : ", not connected"));
    lines.push_back(fmt::format("frames {}, updates {}, failed {}", number(stats, "frames_flipped"),
                                number(stats, "updates"), number(stats, "flips_failed")));
    lines.push_back(fmt::format("hidden {}, discarded {}, scanned out without a copy {}",
                                number(stats, "frames_hidden"), number(stats, "frames_discarded"),
                                number(stats, "frames_zero_copy")));
    lines.push_back(fmt::format("imports {}, refused {}", number(stats, "prime_imports"),
                                number(stats, "imports_failed")));
    lines.push_back(fmt::format("copied {} KiB, stills {}, revocations {}",
                                number(stats, "bytes_copied") / 1024, number(stats, "stills"),
                                number(stats, "revocations")));
    add_latency(lines, stats.value("latency", json::object()));
    if (const std::string note = text(stats, "note"); !note.empty())
        wrap(lines, "not shared: " + note);
    if (const std::string fix = text(stats, "fix"); !fix.empty())
        wrap(lines, "to fix it: " + fix);
    return lines;
}

} // namespace vramlink
