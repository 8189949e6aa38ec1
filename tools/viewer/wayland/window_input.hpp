// SPDX-License-Identifier: GPL-2.0-or-later
//
// WindowInput: keyboard, pointer and touch screen of the compositor's seat, as far as they are in one window.
//
// Grab: the pointer is locked (for guests whose pointer takes movements) and the compositor's own shortcuts
// go to the guest. A click grabs where the guest's pointer is relative; Ctrl+Alt+G grabs and lets go; losing
// the focus lets go. Ctrl+Alt+F toggles full screen, Ctrl+Alt+S the statistics, Ctrl+Alt+1 to 9 opens the
// window of that output. The guest does not see the last key of a chord.
//
// Everything that is pressed is released when the focus leaves. Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_WINDOW_INPUT_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_WINDOW_INPUT_HPP

#include "tools/viewer/display_sink.hpp"
#include "tools/viewer/held_keys.hpp"
#include "tools/viewer/input_sink.hpp"
#include "tools/viewer/wayland/connection.hpp"
#include "tools/viewer/wayland/window_size.hpp"
#include "tools/viewer/whole_units.hpp"

#include <array>
#include <functional>
#include <memory>

namespace vramlink {

class WindowInput {
  public:
    struct Owner {
        std::function<Extent2()> surface; ///< logical size
        std::function<Extent2()> frame;   ///< the guest's pixels
        std::function<void()> toggle_full_screen;
        std::function<void()> grab_changed;
        std::function<void(unsigned)> output_asked; ///< by its number, from 1 on
        std::function<void()> toggle_overlay;
    };
    /// @p connection and @p surface must outlive it.
    WindowInput(WaylandConnection &connection, wl_surface *surface, Owner owner);
    WindowInput(const WindowInput &) = delete;
    WindowInput &operator=(const WindowInput &) = delete;
    ~WindowInput();

    /// Null: nobody.
    void set_sink(InputSink *sink);
    /// The pointer's picture over the window; an empty one hides it.
    void set_cursor(const CursorImage &image);
    void show_cursor(bool visible);
    [[nodiscard]] bool grabbed() const { return grabbed_; }

  private:
    struct Events; ///< the listeners
    void capabilities(uint32_t all);
    void key(uint32_t evdev, bool pressed);
    bool chord(uint32_t evdev);
    void button(uint32_t evdev, bool pressed);
    void motion(wl_fixed_t x, wl_fixed_t y);
    void relative_motion(wl_fixed_t dx, wl_fixed_t dy);
    void axis_frame();
    void finger_down(int32_t id, wl_fixed_t x, wl_fixed_t y);
    void finger_moves(int32_t id, wl_fixed_t x, wl_fixed_t y);
    void finger_up(int32_t id);
    void no_fingers();
    struct Finger {
        int32_t id = 0; ///< the compositor's
        bool down = false;
        double x = 0, y = 0; ///< in the guest's frame, last
    };
    Finger *finger(int32_t id);
    void tell(const Finger &finger, TouchKind kind);
    void grab(bool on);
    void apply_cursor();

    WaylandConnection &connection_;
    wl_surface *surface_;
    Owner owner_;
    InputSink *sink_ = nullptr;
    WlPtr<wl_seat> seat_;
    WlPtr<wl_keyboard> keyboard_;
    WlPtr<wl_pointer> pointer_;
    WlPtr<wl_touch> touch_;
    std::array<Finger, InputSink::touch_slots> fingers_; ///< by slot; more fingers than that are ignored
    WlPtr<zwp_relative_pointer_v1> relative_;
    WlPtr<zwp_locked_pointer_v1> lock_;
    WlPtr<zwp_keyboard_shortcuts_inhibitor_v1> inhibitor_;
    WlPtr<wl_surface> cursor_surface_;
    WlPtr<wl_buffer> cursor_;
    int32_t hot_x_ = 0, hot_y_ = 0;
    bool cursor_visible_ = true, cursor_known_ = false;
    bool has_keys_ = false, has_pointer_ = false; ///< the focus is in our window
    uint32_t enter_serial_ = 0;
    bool grabbed_ = false;
    HeldKeys held_;
    WholeUnits right_, down_; ///< of movements
    struct Axis {
        double value = 0;
        int notches = 0;
        WholeUnits units;
    };
    std::array<Axis, 2> axes_; ///< WL_POINTER_AXIS_*; of the present frame
};

} // namespace vramlink

#endif
