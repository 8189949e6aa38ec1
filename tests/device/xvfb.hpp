// SPDX-License-Identifier: GPL-2.0-or-later
//
// Xvfb: an X server without a screen, whose framebuffer is a file (Xvfb -fbdir): what QEMU's windows show can
// be looked at without X's own clients.

#ifndef VRAMLINK_TESTS_DEVICE_XVFB_HPP
#define VRAMLINK_TESTS_DEVICE_XVFB_HPP

#include "tests/device/picture.hpp"

#include <string>

namespace vramlink::test {

class Xvfb {
  public:
    static constexpr unsigned width = 800, height = 600;

    /// Starts one; running() tells whether there is one.
    Xvfb();
    ~Xvfb();
    Xvfb(const Xvfb &) = delete;
    Xvfb &operator=(const Xvfb &) = delete;

    [[nodiscard]] bool running() const { return !display_.empty(); }
    /// "DISPLAY=:N", for Machine::Options::environment.
    [[nodiscard]] std::string environment() const { return "DISPLAY=" + display_; }
    /// All that is on the screen. Empty when it cannot be read.
    [[nodiscard]] Picture screen() const;
    /// Waits until the picture is somewhere on the screen, pixel for pixel.
    [[nodiscard]] bool shows(const Picture &picture) const;

  private:
    pid_t pid_ = -1;
    std::string directory_;
    std::string display_;
};

} // namespace vramlink::test

#endif
