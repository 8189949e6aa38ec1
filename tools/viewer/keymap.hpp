// SPDX-License-Identifier: GPL-2.0-or-later
//
// Key codes: what Linux and Wayland call a key (evdev, linux/input-event-codes.h), and what QEMU's D-Bus
// keyboard calls it (qnum: the code of the AT set 1 keyboard, with 0x80 in the place of the prefix E0).

#ifndef VRAMLINK_TOOLS_VIEWER_KEYMAP_HPP
#define VRAMLINK_TOOLS_VIEWER_KEYMAP_HPP

#include <cstdint>
#include <optional>

namespace vramlink {

/// QEMU's number of the key; nullopt for keys that an AT keyboard does not have.
std::optional<uint32_t> qnum_of_key(uint32_t evdev);

/// QEMU's number (InputButton) of a mouse button BTN_*; nullopt for others.
std::optional<uint32_t> button_of(uint32_t evdev);

} // namespace vramlink

#endif
