// SPDX-License-Identifier: GPL-2.0-or-later
//
// InputSink: where a screen sends what the user does.
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_INPUT_SINK_HPP
#define VRAMLINK_TOOLS_VIEWER_INPUT_SINK_HPP

#include <cstdint>

namespace vramlink {

/// As QEMU numbers them (org.qemu.Display1.MultiTouch).
enum class TouchKind : uint32_t { begin = 0, update = 1, end = 2, cancel = 3 };

class InputSink {
  public:
    InputSink() = default;
    InputSink(const InputSink &) = delete;
    InputSink &operator=(const InputSink &) = delete;
    virtual ~InputSink() = default;

    virtual void key(uint32_t evdev, bool pressed) = 0;    ///< KEY_*
    virtual void button(uint32_t evdev, bool pressed) = 0; ///< BTN_*
    /// Notches of the wheel; positive is right and down.
    virtual void wheel(int right, int down) = 0;
    /// To this pixel of the guest's frame.
    virtual void move_to(uint32_t x, uint32_t y) = 0;
    virtual void move_by(int dx, int dy) = 0;
    static constexpr uint32_t touch_slots = 10; ///< QEMU's INPUT_EVENT_SLOTS_MAX
    /// A finger, by its slot (below touch_slots), is at this pixel of the guest's frame.
    virtual void touch(TouchKind kind, uint32_t slot, double x, double y) = 0;
    /// The guest's pointer takes positions, not movements.
    [[nodiscard]] virtual bool absolute() const = 0;
};

} // namespace vramlink

#endif
