// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/held_keys.hpp"

#include <linux/input-event-codes.h>

#include <utility>

namespace vramlink {
namespace {

bool change(std::set<uint32_t> &held, uint32_t code, bool pressed)
{
    return pressed ? held.insert(code).second : held.erase(code) > 0;
}

} // namespace

void HeldKeys::key(InputSink *sink, uint32_t evdev, bool pressed)
{
    if (change(keys_, evdev, pressed) && sink)
        sink->key(evdev, pressed);
}

void HeldKeys::button(InputSink *sink, uint32_t evdev, bool pressed)
{
    if (change(buttons_, evdev, pressed) && sink)
        sink->button(evdev, pressed);
}

bool HeldKeys::control_and_alt() const
{
    const bool control = keys_.contains(KEY_LEFTCTRL) || keys_.contains(KEY_RIGHTCTRL);
    return control && keys_.contains(KEY_LEFTALT);
}

void HeldKeys::release_all(InputSink *sink)
{
    for (const uint32_t key : std::exchange(keys_, {})) {
        if (sink)
            sink->key(key, false);
    }
    for (const uint32_t button : std::exchange(buttons_, {})) {
        if (sink)
            sink->button(button, false);
    }
}

} // namespace vramlink
