// SPDX-License-Identifier: GPL-2.0-or-later
//
// HostScreen: what a monitor on the host's display GPU would show, seen from outside: a VNC connection with
// the QEMU that the host in a box runs in. The second monitor is plugged in and unplugged through it.

#ifndef VRAMLINK_TESTS_DEVICE_HOST_SCREEN_HPP
#define VRAMLINK_TESTS_DEVICE_HOST_SCREEN_HPP

#include "tests/device/rfb.hpp"

namespace vramlink::test {

class HostScreen {
  public:
    static constexpr const char *first = "/dev/virtio-ports/lab.screen";
    static constexpr const char *second = "/dev/virtio-ports/lab.second"; ///< without a monitor at first

    /// Fails the test when nobody is there.
    explicit HostScreen(const char *port = first);
    ~HostScreen() { client_.offend(); } // the next one begins anew
    HostScreen(const HostScreen &) = delete;
    HostScreen &operator=(const HostScreen &) = delete;

    /// All of it, now.
    const Picture &look();
    /// Waits for it.
    bool comes(const Picture &picture);

    /// A monitor of this size; 0 x 0: none.
    void plug(std::uint16_t width, std::uint16_t height) { client_.set_desktop_size(width, height); }

  private:
    Rfb client_;
};

} // namespace vramlink::test

#endif
