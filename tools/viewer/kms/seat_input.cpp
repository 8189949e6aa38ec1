// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/kms/seat_input.hpp"

#include "tools/viewer/log.hpp"

#include <glib-unix.h>
#include <libinput.h>
#include <libudev.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vramlink {
namespace {

constexpr double units_per_notch = 10; ///< of a touchpad's scrolling, as compositors have it
constexpr double wheel_units = 120;    ///< of a wheel, in a notch

Desk::Place place_of(libinput_event_touch *event)
{
    return {libinput_event_touch_get_x_transformed(event, 1),
            libinput_event_touch_get_y_transformed(event, 1)};
}

/// As most desktops have it, where the device can.
void set_up(libinput_device *device)
{
    Log::info("input: {}", libinput_device_get_name(device));
    if (libinput_device_config_tap_get_finger_count(device) > 0)
        libinput_device_config_tap_set_enabled(device, LIBINPUT_CONFIG_TAP_ENABLED);
}

} // namespace

struct SeatInput::Files {
    static int open(const char *path, int, void *own)
    {
        auto fd = static_cast<SeatInput *>(own)->seat_.open_device(path);
        if (!fd)
            Log::info("{}", fd.error().text);
        return fd ? fd->release() : -fd.error().code;
    }
    static void close(int fd, void *own)
    {
        static_cast<SeatInput *>(own)->seat_.forget(fd);
        ::close(fd);
    }
    static constexpr libinput_interface functions{&Files::open, &Files::close};
};

Result<std::unique_ptr<SeatInput>> SeatInput::open(Seat &seat, Desk &desk)
{
    std::unique_ptr<SeatInput> input(new SeatInput(seat, desk));
    input->udev_ = udev_new();
    if (input->udev_)
        input->input_ = libinput_udev_create_context(&Files::functions, input.get(), input->udev_);
    if (!input->input_)
        return fail(ENOMEM, "no memory for libinput");
    if (libinput_udev_assign_seat(input->input_, seat.name()) < 0)
        return fail(EIO, fmt::format("libinput does not take the devices of {}", seat.name()));
    input->source_ =
        g_unix_fd_add(libinput_get_fd(input->input_), G_IO_IN, &SeatInput::on_event, input.get());
    input->read_events();
    return input;
}

SeatInput::~SeatInput()
{
    if (source_)
        g_source_remove(source_);
    libinput_unref(input_);
    udev_unref(udev_);
}

void SeatInput::sleep()
{
    libinput_suspend(input_);
    read_events(); // what it says of the devices that go
    desk_.release_all();
}

void SeatInput::wake()
{
    if (libinput_resume(input_) < 0)
        Log::error("keyboards and pointers of {} are not back", seat_.name());
    read_events();
}

gboolean SeatInput::on_event(gint, GIOCondition, gpointer self)
{
    static_cast<SeatInput *>(self)->read_events();
    return G_SOURCE_CONTINUE;
}

void SeatInput::read_events()
{
    if (const int r = libinput_dispatch(input_); r < 0)
        return Log::error("libinput: {}", std::strerror(-r));
    while (libinput_event *event = libinput_get_event(input_)) {
        handle(event, libinput_event_get_type(event));
        libinput_event_destroy(event);
    }
}

void SeatInput::handle(libinput_event *event, int type)
{
    const auto pointer = [event] { return libinput_event_get_pointer_event(event); };
    switch (type) {
    case LIBINPUT_EVENT_DEVICE_ADDED:
        return set_up(libinput_event_get_device(event));
    case LIBINPUT_EVENT_KEYBOARD_KEY:
        return key(libinput_event_get_keyboard_event(event));
    case LIBINPUT_EVENT_POINTER_MOTION:
        return desk_.move_by({libinput_event_pointer_get_dx(pointer()),
                              libinput_event_pointer_get_dy(pointer()),
                              libinput_event_pointer_get_dx_unaccelerated(pointer()),
                              libinput_event_pointer_get_dy_unaccelerated(pointer())});
    case LIBINPUT_EVENT_POINTER_MOTION_ABSOLUTE:
        return desk_.move_to({libinput_event_pointer_get_absolute_x_transformed(pointer(), 1),
                              libinput_event_pointer_get_absolute_y_transformed(pointer(), 1)});
    case LIBINPUT_EVENT_POINTER_BUTTON:
        return button(pointer());
    case LIBINPUT_EVENT_POINTER_SCROLL_WHEEL:
    case LIBINPUT_EVENT_POINTER_SCROLL_FINGER:
    case LIBINPUT_EVENT_POINTER_SCROLL_CONTINUOUS:
        return scroll(pointer(), type);
    case LIBINPUT_EVENT_TOUCH_DOWN:
        return touch(libinput_event_get_touch_event(event), TouchKind::begin);
    case LIBINPUT_EVENT_TOUCH_MOTION:
        return touch(libinput_event_get_touch_event(event), TouchKind::update);
    case LIBINPUT_EVENT_TOUCH_UP:
        return touch(libinput_event_get_touch_event(event), TouchKind::end);
    case LIBINPUT_EVENT_TOUCH_CANCEL:
        return touch(libinput_event_get_touch_event(event), TouchKind::cancel);
    default: // gestures, tablets and switches: QEMU has no word for them
        return;
    }
}

/// Of several keyboards the first that presses a key presses it, and the last that lets go releases it.
void SeatInput::key(libinput_event_keyboard *event)
{
    const bool pressed = libinput_event_keyboard_get_key_state(event) == LIBINPUT_KEY_STATE_PRESSED;
    if (libinput_event_keyboard_get_seat_key_count(event) == (pressed ? 1U : 0U))
        desk_.key(libinput_event_keyboard_get_key(event), pressed);
}

void SeatInput::button(libinput_event_pointer *event)
{
    const bool pressed = libinput_event_pointer_get_button_state(event) == LIBINPUT_BUTTON_STATE_PRESSED;
    if (libinput_event_pointer_get_seat_button_count(event) == (pressed ? 1U : 0U))
        desk_.button(libinput_event_pointer_get_button(event), pressed);
}

void SeatInput::scroll(libinput_event_pointer *event, int type)
{
    std::array<int, 2> whole{};
    for (const auto axis : {LIBINPUT_POINTER_AXIS_SCROLL_VERTICAL, LIBINPUT_POINTER_AXIS_SCROLL_HORIZONTAL}) {
        if (!libinput_event_pointer_has_axis(event, axis))
            continue;
        const double notches = type == LIBINPUT_EVENT_POINTER_SCROLL_WHEEL
                                   ? libinput_event_pointer_get_scroll_value_v120(event, axis) / wheel_units
                                   : libinput_event_pointer_get_scroll_value(event, axis) / units_per_notch;
        whole.at(axis) = notches_.at(axis).add(notches);
    }
    desk_.wheel(whole[LIBINPUT_POINTER_AXIS_SCROLL_HORIZONTAL], whole[LIBINPUT_POINTER_AXIS_SCROLL_VERTICAL]);
}

void SeatInput::touch(libinput_event_touch *event, TouchKind kind)
{
    const int32_t slot = libinput_event_touch_get_seat_slot(event); // -1: the screen has one finger only
    const bool placed = kind == TouchKind::begin || kind == TouchKind::update;
    desk_.touch(kind, slot < 0 ? 0 : static_cast<uint32_t>(slot), placed ? place_of(event) : Desk::Place{});
}

} // namespace vramlink
