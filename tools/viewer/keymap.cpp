// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/keymap.hpp"

#include <linux/input-event-codes.h>

#include <array>
#include <utility>

namespace vramlink {
namespace {

/// Up to here evdev's codes are the AT set 1 codes.
constexpr uint32_t last_plain = KEY_KPDOT;

using Pair = std::pair<uint32_t, uint32_t>;
constexpr std::array extended{
    Pair{KEY_ZENKAKUHANKAKU, 0x76},
    Pair{KEY_102ND, 0x56},
    Pair{KEY_F11, 0x57},
    Pair{KEY_F12, 0x58},
    Pair{KEY_RO, 0x73},
    Pair{KEY_KATAKANA, 0x78},
    Pair{KEY_HIRAGANA, 0x77},
    Pair{KEY_HENKAN, 0x79},
    Pair{KEY_KATAKANAHIRAGANA, 0x70},
    Pair{KEY_MUHENKAN, 0x7b},
    Pair{KEY_KPJPCOMMA, 0x5c},
    Pair{KEY_KPENTER, 0x9c},
    Pair{KEY_RIGHTCTRL, 0x9d},
    Pair{KEY_KPSLASH, 0xb5},
    Pair{KEY_SYSRQ, 0x54},
    Pair{KEY_RIGHTALT, 0xb8},
    Pair{KEY_HOME, 0xc7},
    Pair{KEY_UP, 0xc8},
    Pair{KEY_PAGEUP, 0xc9},
    Pair{KEY_LEFT, 0xcb},
    Pair{KEY_RIGHT, 0xcd},
    Pair{KEY_END, 0xcf},
    Pair{KEY_DOWN, 0xd0},
    Pair{KEY_PAGEDOWN, 0xd1},
    Pair{KEY_INSERT, 0xd2},
    Pair{KEY_DELETE, 0xd3},
    Pair{KEY_MUTE, 0xa0},
    Pair{KEY_VOLUMEDOWN, 0xae},
    Pair{KEY_VOLUMEUP, 0xb0},
    Pair{KEY_POWER, 0xde},
    Pair{KEY_KPEQUAL, 0x59},
    Pair{KEY_PAUSE, 0xc6},
    Pair{KEY_KPCOMMA, 0x7e},
    Pair{KEY_YEN, 0x7d},
    Pair{KEY_LEFTMETA, 0xdb},
    Pair{KEY_RIGHTMETA, 0xdc},
    Pair{KEY_COMPOSE, 0xdd},
    Pair{KEY_CALC, 0xa1},
    Pair{KEY_SLEEP, 0xdf},
    Pair{KEY_WAKEUP, 0xe3},
    Pair{KEY_MAIL, 0xec},
    Pair{KEY_BACK, 0xea},
    Pair{KEY_FORWARD, 0xe9},
    Pair{KEY_NEXTSONG, 0x99},
    Pair{KEY_PLAYPAUSE, 0xa2},
    Pair{KEY_PREVIOUSSONG, 0x90},
    Pair{KEY_STOPCD, 0xa4},
    Pair{KEY_HOMEPAGE, 0xb2},
    Pair{KEY_REFRESH, 0xe7},
};

template <size_t n> std::optional<uint32_t> find(const std::array<Pair, n> &pairs, uint32_t code)
{
    for (const auto &[from, to] : pairs) {
        if (from == code)
            return to;
    }
    return std::nullopt;
}

} // namespace

std::optional<uint32_t> qnum_of_key(uint32_t evdev)
{
    if (evdev == KEY_RESERVED)
        return std::nullopt;
    return evdev <= last_plain ? evdev : find(extended, evdev);
}

std::optional<uint32_t> button_of(uint32_t evdev)
{
    constexpr std::array buttons{Pair{BTN_LEFT, 0}, Pair{BTN_MIDDLE, 1}, Pair{BTN_RIGHT, 2},
                                 Pair{BTN_SIDE, 5}, Pair{BTN_EXTRA, 6}};
    return find(buttons, evdev);
}

} // namespace vramlink
