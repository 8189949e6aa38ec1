// SPDX-License-Identifier: GPL-2.0-or-later
//
// HeldKeys: the keys and buttons that are down and were told to the guest, so that none stays down there when
// the focus leaves. Whoever was told of a press is told of the release, wherever the pointer is by then: a
// window can be dragged from one of the guest's monitors to another.
//
// Thread: the default main context's. Borrows the sinks: forget() one before it goes.

#ifndef VRAMLINK_TOOLS_VIEWER_HELD_KEYS_HPP
#define VRAMLINK_TOOLS_VIEWER_HELD_KEYS_HPP

#include "tools/viewer/input_sink.hpp"

#include <cstdint>
#include <map>

namespace vramlink {

class HeldKeys {
  public:
    /// Of a press @p sink is told (null: nobody), unless it is known already. KEY_*
    void key(InputSink *sink, uint32_t evdev, bool pressed);
    /// BTN_*
    void button(InputSink *sink, uint32_t evdev, bool pressed);
    /// Both are down: what comes next is for the viewer, perhaps.
    [[nodiscard]] bool control_and_alt() const;
    void release_all();
    /// What it was told of is not held any more, and it is not told that.
    void forget(const InputSink *sink);

  private:
    using Held = std::map<uint32_t, InputSink *>; ///< who was told
    Held keys_, buttons_;
};

} // namespace vramlink

#endif
