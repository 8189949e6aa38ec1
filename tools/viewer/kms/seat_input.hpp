// SPDX-License-Identifier: GPL-2.0-or-later
//
// SeatInput: what the keyboards, pointers and touch screens of a seat say, for the desk; through libinput,
// which wants udev's database.
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_KMS_SEAT_INPUT_HPP
#define VRAMLINK_TOOLS_VIEWER_KMS_SEAT_INPUT_HPP

#include "tools/viewer/kms/desk.hpp"
#include "tools/viewer/kms/seat.hpp"
#include "tools/viewer/whole_units.hpp"
#include "vramlink/error.hpp"

#include <glib.h>

#include <array>
#include <cstdint>
#include <memory>

struct libinput;
struct libinput_event;
struct libinput_event_keyboard;
struct libinput_event_pointer;
struct libinput_event_touch;
struct udev;

namespace vramlink {

class SeatInput {
  public:
    /// @p seat and @p desk must outlive it.
    static Result<std::unique_ptr<SeatInput>> open(Seat &seat, Desk &desk);
    SeatInput(const SeatInput &) = delete;
    SeatInput &operator=(const SeatInput &) = delete;
    ~SeatInput();

    /// The seat is another program's; ours again.
    void sleep();
    void wake();

  private:
    struct Files;
    SeatInput(Seat &seat, Desk &desk) : seat_(seat), desk_(desk) {}
    static gboolean on_event(gint fd, GIOCondition condition, gpointer self);
    void read_events();
    void handle(libinput_event *event, int type);
    void key(libinput_event_keyboard *event);
    void button(libinput_event_pointer *event);
    void scroll(libinput_event_pointer *event, int type);
    void touch(libinput_event_touch *event, TouchKind kind);

    Seat &seat_;
    Desk &desk_;
    udev *udev_ = nullptr;
    libinput *input_ = nullptr;
    std::array<WholeUnits, 2> notches_; ///< libinput_pointer_axis
    guint source_ = 0;
};

} // namespace vramlink

#endif
