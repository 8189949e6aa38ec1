// SPDX-License-Identifier: GPL-2.0-or-later
//
// Desk: the monitors side by side, one pointer that moves over them, and one keyboard, which belongs to the
// monitor that has the pointer. What is held down stays so while the pointer crosses to another monitor.
//
// A guest with a tablet is told places: the pointer is ours then, and moves before the guest has heard of it.
// A guest with a mouse is told movements, as the device made them (it has an acceleration of its own), and
// puts the pointer itself.
//
// Ctrl+Alt+F1 to F12 asks for another virtual terminal, Ctrl+Alt+Q for the end; neither reaches the guest.
//
// Thread: the default main context's. No device in here.

#ifndef VRAMLINK_TOOLS_VIEWER_KMS_DESK_HPP
#define VRAMLINK_TOOLS_VIEWER_KMS_DESK_HPP

#include "hw/prime/extent2.hpp"
#include "tools/viewer/held_keys.hpp"
#include "tools/viewer/input_sink.hpp"
#include "tools/viewer/whole_units.hpp"

#include <array>
#include <functional>
#include <vector>

namespace vramlink {

/// A monitor, as the desk sees it.
class DeskScreen {
  public:
    DeskScreen() = default;
    DeskScreen(const DeskScreen &) = delete;
    DeskScreen &operator=(const DeskScreen &) = delete;
    virtual ~DeskScreen() = default;

    /// Whom its guest's output listens to; null: nobody.
    [[nodiscard]] virtual InputSink *input() const = 0;
    /// What is seen of the guest's frame, in its pixels.
    [[nodiscard]] virtual Extent2 seen() const = 0;
    /// The desk's pointer is at this pixel.
    virtual void point_at(int x, int y) = 0;
    /// The desk's pointer is somewhere else.
    virtual void point_away() = 0;
};

class Desk {
  public:
    /// A movement in pixels, as the user's settings make it, and as the device said.
    struct Movement {
        double x = 0, y = 0, raw_x = 0, raw_y = 0;
    };
    /// A place on a monitor: 0 is its left or upper edge, 1 the right or lower one.
    struct Place {
        double x = 0, y = 0;
    };

    /// On the right of those that are there.
    void add(DeskScreen &screen);
    void remove(DeskScreen &screen);
    /// As HeldKeys.
    void forget(const InputSink *sink) { held_.forget(sink); }

    void key(uint32_t evdev, bool pressed);
    void button(uint32_t evdev, bool pressed);
    void move_by(const Movement &movement);
    /// Of devices that know places; on the monitor that has the pointer.
    void move_to(const Place &place);
    void wheel(int right, int down);
    /// @p slot may be any; those that QEMU has no room for are ignored.
    void touch(TouchKind kind, uint32_t slot, const Place &place);
    /// The seat is another program's: nothing is down any more.
    void release_all();

    std::function<void(unsigned)> on_terminal = [](unsigned) {};
    std::function<void()> on_quit = [] {};

  private:
    [[nodiscard]] DeskScreen *here() const;
    [[nodiscard]] InputSink *sink() const;
    bool chord(uint32_t evdev);
    void put(double x, double y);
    void cross(double x);
    void lift_fingers();

    std::vector<DeskScreen *> screens_; ///< from left to right
    size_t at_ = 0;                     ///< which of them has the pointer
    double x_ = 0, y_ = 0;              ///< in its seen()
    HeldKeys held_;
    WholeUnits right_, down_;
    std::array<bool, InputSink::touch_slots> fingers_{};
};

} // namespace vramlink

#endif
