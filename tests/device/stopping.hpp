// SPDX-License-Identifier: GPL-2.0-or-later
//
// StoppingDisplay: a display in a process of its own that works, until it stops itself or is stopped.

#ifndef VRAMLINK_TESTS_DEVICE_STOPPING_HPP
#define VRAMLINK_TESTS_DEVICE_STOPPING_HPP

#include "tests/device/consumer.hpp"
#include "tests/device/stopping_display.h"

namespace vramlink::test {

class StoppingDisplay {
  public:
    StoppingDisplay(Machine &machine, stop_point point);
    ~StoppingDisplay();
    StoppingDisplay(const StoppingDisplay &) = delete;
    StoppingDisplay &operator=(const StoppingDisplay &) = delete;

    [[nodiscard]] pid_t pid() const { return process_.pid; }
    /// Whether its process is stopped now.
    [[nodiscard]] bool stopped() const;
    void stop() const;
    void go_on() const;
    /// Whether it has ended, as it does when QEMU has hung up.
    [[nodiscard]] bool ended();

    /// What the process runs; never returns.
    [[noreturn]] static void run(int display, int point);

  private:
    Spawned process_;
};

} // namespace vramlink::test

#endif
