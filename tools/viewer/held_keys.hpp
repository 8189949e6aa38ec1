// SPDX-License-Identifier: GPL-2.0-or-later
//
// HeldKeys: the keys and buttons that are down and were told to the guest, so that none stays down there when
// the focus leaves.
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_HELD_KEYS_HPP
#define VRAMLINK_TOOLS_VIEWER_HELD_KEYS_HPP

#include "tools/viewer/input_sink.hpp"

#include <cstdint>
#include <set>

namespace vramlink {

class HeldKeys {
  public:
    /// Tells @p sink (null: nobody) unless it is known already. KEY_*
    void key(InputSink *sink, uint32_t evdev, bool pressed);
    /// BTN_*
    void button(InputSink *sink, uint32_t evdev, bool pressed);
    /// Both are down: what comes next is for the viewer, perhaps.
    [[nodiscard]] bool control_and_alt() const;
    void release_all(InputSink *sink);

  private:
    std::set<uint32_t> keys_, buttons_;
};

} // namespace vramlink

#endif
