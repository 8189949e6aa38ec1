// SPDX-License-Identifier: GPL-2.0-or-later
//
// Timeline: what the preloaded timeline.c has written down about QEMU and a viewer.

#ifndef VRAMLINK_TESTS_BENCH_TIMELINE_HPP
#define VRAMLINK_TESTS_BENCH_TIMELINE_HPP

#include <cstdint>
#include <string>

namespace vramlink::test {

struct Step {
    std::string what;
    std::int64_t start = 0, end = 0; ///< as now_ns()
};

/// CLOCK_MONOTONIC.
[[nodiscard]] std::int64_t now_ns();

/// One at a time; the file goes with it.
class Timeline {
  public:
    Timeline() { clear(); }
    ~Timeline();
    Timeline(const Timeline &) = delete;
    Timeline &operator=(const Timeline &) = delete;

    /// To preload, and its setting: "NAME=value".
    [[nodiscard]] static std::string library();
    [[nodiscard]] static std::string variable();

    static void clear();
    /// Waits for one of these; ends the program when none comes. The last one, if there are more.
    static Step wait(const std::string &what);

  private:
    [[nodiscard]] static std::string path();
    static Step last(const std::string &what);
};

} // namespace vramlink::test

#endif
