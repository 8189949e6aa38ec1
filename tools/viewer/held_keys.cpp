// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/held_keys.hpp"

#include <linux/input-event-codes.h>

#include <utility>

namespace vramlink {
namespace {

using Tell = void (InputSink::*)(uint32_t evdev, bool pressed);

void change(std::map<uint32_t, InputSink *> &held, InputSink *sink, uint32_t code, bool pressed, Tell tell)
{
    if (pressed) {
        if (held.emplace(code, sink).second && sink)
            (sink->*tell)(code, true);
        return;
    }
    const auto found = held.find(code);
    if (found == held.end())
        return;
    InputSink *told = found->second;
    held.erase(found);
    if (told)
        (told->*tell)(code, false);
}

void release(std::map<uint32_t, InputSink *> &held, Tell tell)
{
    for (const auto &[code, told] : std::exchange(held, {})) {
        if (told)
            (told->*tell)(code, false);
    }
}

} // namespace

void HeldKeys::key(InputSink *sink, uint32_t evdev, bool pressed)
{
    change(keys_, sink, evdev, pressed, &InputSink::key);
}

void HeldKeys::button(InputSink *sink, uint32_t evdev, bool pressed)
{
    change(buttons_, sink, evdev, pressed, &InputSink::button);
}

bool HeldKeys::control_and_alt() const
{
    const bool control = keys_.contains(KEY_LEFTCTRL) || keys_.contains(KEY_RIGHTCTRL);
    return control && keys_.contains(KEY_LEFTALT);
}

void HeldKeys::release_all()
{
    release(keys_, &InputSink::key);
    release(buttons_, &InputSink::button);
}

void HeldKeys::forget(const InputSink *sink)
{
    const auto its = [sink](const auto &entry) { return entry.second == sink; };
    std::erase_if(keys_, its);
    std::erase_if(buttons_, its);
}

} // namespace vramlink
