// SPDX-License-Identifier: GPL-2.0-or-later
//
// UserHands: a keyboard and a mouse of the host that the tests run on (uinput), and who hears them.

#ifndef VRAMLINK_TESTS_DEVICE_USER_HANDS_HPP
#define VRAMLINK_TESTS_DEVICE_USER_HANDS_HPP

#include "vramlink/unique_fd.hpp"

#include <cstdint>
#include <initializer_list>

namespace vramlink::test {

class UserHands {
  public:
    /// Plugs both in; udev knows them when it returns. Fails the test when that is not to be had.
    UserHands();

    /// Presses the keys (KEY_*) in order and releases them in the opposite one.
    void chord(std::initializer_list<std::uint16_t> keys);
    void press(std::uint16_t key) { chord({key}); }
    void click();
    void move(int right, int down);

  private:
    void send(std::uint16_t type, std::uint16_t code, std::int32_t value);
    void key(std::uint16_t code, bool down);

    UniqueFd keyboard_, mouse_;
};

/// The virtual terminal that is on the host's screen, from 1 on; 0: there is none.
[[nodiscard]] int terminal();
/// Asks the kernel for it, as the console's own keyboard handling does.
void switch_terminal(int number);

/// The console neither draws on that terminal nor reads its keys.
[[nodiscard]] bool is_graphic(int number);

/// Becomes the DRM master of the host's display device for a moment: false when somebody drives it. Who wants
/// to drive it at that very moment is refused.
[[nodiscard]] bool nobody_drives();

} // namespace vramlink::test

#endif
