// SPDX-License-Identifier: GPL-2.0-or-later
//
// Latency: how long frames take from the commit to the screen, from the compositor's presentation feedback.
// The last 1,024 frames are kept.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_LATENCY_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_LATENCY_HPP

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace vramlink {

class Latency {
  public:
    /// Adds a frame, without allocating.
    void add(uint64_t microseconds)
    {
        last_.at(count_ % kept) = microseconds;
        ++count_;
    }
    [[nodiscard]] uint64_t count() const { return count_; }

    /// {"frames", "median_us", "p95_us", "max_us", "histogram"}; the figures are null before the first frame.
    /// The histogram is of the frames that are kept: [{"below_us", "frames"}], null for the rest.
    [[nodiscard]] nlohmann::json summary() const;

  private:
    static constexpr size_t kept = 1024;
    std::array<uint64_t, kept> last_{};
    uint64_t count_ = 0;
};

} // namespace vramlink

#endif
