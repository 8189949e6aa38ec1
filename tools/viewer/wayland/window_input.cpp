// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/window_input.hpp"

#include <linux/input-event-codes.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace vramlink {
namespace {

constexpr double units_per_notch = 10; ///< of axes without notches (touchpads); Wayland's custom

/// A wl_buffer with the picture; null when there is no memory.
WlPtr<wl_buffer> buffer_of(wl_shm *shm, const CursorImage &image)
{
    const size_t size = image.argb.size();
    const UniqueFd memory(memfd_create("vramlink-cursor", MFD_CLOEXEC));
    if (!memory || ftruncate(memory.get(), static_cast<off_t>(size)) < 0)
        return nullptr;
    void *address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
    if (address == MAP_FAILED)
        return nullptr;
    std::memcpy(address, image.argb.data(), size);
    munmap(address, size);
    const WlPtr<wl_shm_pool> pool(wl_shm_create_pool(shm, memory.get(), static_cast<int32_t>(size)));
    return WlPtr<wl_buffer>(wl_shm_pool_create_buffer(
        pool.get(), 0, static_cast<int32_t>(image.width), static_cast<int32_t>(image.height),
        static_cast<int32_t>(image.width * 4), WL_SHM_FORMAT_ARGB8888));
}

double scaled(wl_fixed_t at, uint32_t surface, uint32_t frame)
{
    if (surface == 0 || frame == 0)
        return 0;
    const double pixel = wl_fixed_to_double(at) * frame / surface;
    return std::clamp(pixel, 0.0, static_cast<double>(frame - 1));
}

} // namespace

struct WindowInput::Events {
    static WindowInput &self(void *own) { return *static_cast<WindowInput *>(own); }

    static constexpr wl_seat_listener seat{
        [](void *own, wl_seat *, uint32_t all) { self(own).capabilities(all); },
        [](void *, wl_seat *, const char *) {}};

    static constexpr wl_keyboard_listener keyboard{
        [](void *, wl_keyboard *, uint32_t, int32_t fd, uint32_t) { close(fd); }, // the guest has its own
        [](void *own, wl_keyboard *, uint32_t serial, wl_surface *surface, wl_array *) {
            self(own).has_keys_ = surface == self(own).surface_;
            self(own).connection_.note_serial(serial);
        },
        [](void *own, wl_keyboard *, uint32_t, wl_surface *) {
            if (std::exchange(self(own).has_keys_, false)) {
                self(own).held_.release_all();
                self(own).grab(false);
            }
        },
        [](void *own, wl_keyboard *, uint32_t serial, uint32_t, uint32_t key, uint32_t state) {
            self(own).connection_.note_serial(serial);
            self(own).key(key, state == WL_KEYBOARD_KEY_STATE_PRESSED);
        },
        [](void *, wl_keyboard *, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t) {},
        [](void *, wl_keyboard *, int32_t, int32_t) {}}; // the guest repeats by itself

    static constexpr wl_pointer_listener pointer{
        [](void *own, wl_pointer *, uint32_t serial, wl_surface *surface, wl_fixed_t x, wl_fixed_t y) {
            self(own).has_pointer_ = surface == self(own).surface_;
            self(own).enter_serial_ = serial;
            self(own).apply_cursor();
            self(own).motion(x, y);
        },
        [](void *own, wl_pointer *, uint32_t, wl_surface *) { self(own).has_pointer_ = false; },
        [](void *own, wl_pointer *, uint32_t, wl_fixed_t x, wl_fixed_t y) { self(own).motion(x, y); },
        [](void *own, wl_pointer *, uint32_t serial, uint32_t, uint32_t button, uint32_t state) {
            self(own).connection_.note_serial(serial);
            self(own).button(button, state == WL_POINTER_BUTTON_STATE_PRESSED);
        },
        [](void *own, wl_pointer *, uint32_t, uint32_t axis, wl_fixed_t value) {
            if (axis < self(own).axes_.size())
                self(own).axes_.at(axis).value += wl_fixed_to_double(value);
        },
        [](void *own, wl_pointer *) { self(own).axis_frame(); },
        [](void *, wl_pointer *, uint32_t) {},
        [](void *, wl_pointer *, uint32_t, uint32_t) {},
        [](void *own, wl_pointer *, uint32_t axis, int32_t notches) {
            if (axis < self(own).axes_.size())
                self(own).axes_.at(axis).notches += notches;
        },
        nullptr,  // axis_value120: version 8
        nullptr}; // axis_relative_direction: version 9

    static constexpr wl_touch_listener touch{
        [](void *own, wl_touch *, uint32_t serial, uint32_t, wl_surface *surface, int32_t id, wl_fixed_t x,
           wl_fixed_t y) {
            self(own).connection_.note_serial(serial);
            if (surface == self(own).surface_)
                self(own).finger_down(id, x, y);
        },
        [](void *own, wl_touch *, uint32_t, uint32_t, int32_t id) { self(own).finger_up(id); },
        [](void *own, wl_touch *, uint32_t, int32_t id, wl_fixed_t x, wl_fixed_t y) {
            self(own).finger_moves(id, x, y);
        },
        [](void *, wl_touch *) {}, // QEMU has no word for the end of a group
        [](void *own, wl_touch *) { self(own).no_fingers(); },
        nullptr,  // shape: version 6
        nullptr}; // orientation: version 6

    static constexpr zwp_relative_pointer_v1_listener relative{
        [](void *own, zwp_relative_pointer_v1 *, uint32_t, uint32_t, wl_fixed_t, wl_fixed_t, wl_fixed_t dx,
           wl_fixed_t dy) { self(own).relative_motion(dx, dy); }};
};

WindowInput::WindowInput(WaylandConnection &connection, wl_surface *surface, Owner owner)
    : connection_(connection), surface_(surface), owner_(std::move(owner)), seat_(connection.bind_seat())
{
    if (seat_)
        wl_seat_add_listener(seat_.get(), &Events::seat, this);
}

WindowInput::~WindowInput()
{
    set_sink(nullptr);
}

void WindowInput::set_sink(InputSink *sink)
{
    if (sink_ != sink)
        held_.forget(sink_);
    sink_ = sink;
}

void WindowInput::capabilities(uint32_t all)
{
    const bool keys = all & WL_SEAT_CAPABILITY_KEYBOARD, points = all & WL_SEAT_CAPABILITY_POINTER;
    if (keys && !keyboard_) {
        keyboard_.reset(wl_seat_get_keyboard(seat_.get()));
        wl_keyboard_add_listener(keyboard_.get(), &Events::keyboard, this);
    } else if (!keys) {
        keyboard_.reset();
        has_keys_ = false;
        held_.release_all();
    }
    if ((all & WL_SEAT_CAPABILITY_TOUCH) && !touch_) {
        touch_.reset(wl_seat_get_touch(seat_.get()));
        wl_touch_add_listener(touch_.get(), &Events::touch, this);
    } else if (!(all & WL_SEAT_CAPABILITY_TOUCH)) {
        no_fingers();
        touch_.reset();
    }
    if (points && !pointer_) {
        pointer_.reset(wl_seat_get_pointer(seat_.get()));
        wl_pointer_add_listener(pointer_.get(), &Events::pointer, this);
        if (connection_.relative_pointer()) {
            relative_.reset(zwp_relative_pointer_manager_v1_get_relative_pointer(
                connection_.relative_pointer(), pointer_.get()));
            zwp_relative_pointer_v1_add_listener(relative_.get(), &Events::relative, this);
        }
    } else if (!points) {
        grab(false);
        relative_.reset();
        pointer_.reset();
        has_pointer_ = false;
    }
}

WindowInput::Finger *WindowInput::finger(int32_t id)
{
    for (Finger &known : fingers_) {
        if (known.down && known.id == id)
            return &known;
    }
    return nullptr;
}

void WindowInput::tell(const Finger &finger, TouchKind kind)
{
    if (sink_)
        sink_->touch(kind, static_cast<uint32_t>(&finger - fingers_.data()), finger.x, finger.y);
}

void WindowInput::finger_down(int32_t id, wl_fixed_t x, wl_fixed_t y)
{
    const auto free = std::ranges::find(fingers_, false, &Finger::down);
    if (free == fingers_.end() || finger(id))
        return;
    const Extent2 surface = owner_.surface(), frame = owner_.frame();
    *free = {id, true, scaled(x, surface.width, frame.width), scaled(y, surface.height, frame.height)};
    tell(*free, TouchKind::begin);
}

void WindowInput::finger_moves(int32_t id, wl_fixed_t x, wl_fixed_t y)
{
    Finger *moved = finger(id);
    if (!moved)
        return;
    const Extent2 surface = owner_.surface(), frame = owner_.frame();
    moved->x = scaled(x, surface.width, frame.width);
    moved->y = scaled(y, surface.height, frame.height);
    tell(*moved, TouchKind::update);
}

void WindowInput::finger_up(int32_t id)
{
    if (Finger *lifted = finger(id)) {
        lifted->down = false;
        tell(*lifted, TouchKind::end);
    }
}

void WindowInput::no_fingers()
{
    for (Finger &known : fingers_) {
        if (std::exchange(known.down, false))
            tell(known, TouchKind::cancel);
    }
}

bool WindowInput::chord(uint32_t evdev)
{
    if (!held_.control_and_alt())
        return false;
    if (evdev == KEY_G)
        grab(!grabbed_);
    else if (evdev == KEY_F)
        owner_.toggle_full_screen();
    else if (evdev == KEY_S)
        owner_.toggle_overlay();
    else if (evdev >= KEY_1 && evdev <= KEY_9)
        owner_.output_asked(evdev - KEY_1 + 1);
    else
        return false;
    return true;
}

void WindowInput::key(uint32_t evdev, bool pressed)
{
    if (!has_keys_ || (pressed && chord(evdev)))
        return;
    held_.key(sink_, evdev, pressed);
}

void WindowInput::button(uint32_t evdev, bool pressed)
{
    if (!has_pointer_ || !sink_)
        return;
    if (pressed && !sink_->absolute() && !grabbed_)
        return grab(true); // this click is for us
    held_.button(sink_, evdev, pressed);
}

void WindowInput::motion(wl_fixed_t x, wl_fixed_t y)
{
    if (!has_pointer_ || !sink_ || !sink_->absolute())
        return;
    const Extent2 surface = owner_.surface(), frame = owner_.frame();
    sink_->move_to(static_cast<uint32_t>(scaled(x, surface.width, frame.width)),
                   static_cast<uint32_t>(scaled(y, surface.height, frame.height)));
}

void WindowInput::relative_motion(wl_fixed_t dx, wl_fixed_t dy)
{
    if (!sink_ || !grabbed_ || sink_->absolute())
        return;
    const int x = right_.add(wl_fixed_to_double(dx)), y = down_.add(wl_fixed_to_double(dy));
    if (x != 0 || y != 0)
        sink_->move_by(x, y);
}

void WindowInput::axis_frame()
{
    std::array<int, 2> notches{};
    for (size_t i = 0; i < axes_.size(); i++) {
        Axis &axis = axes_.at(i);
        notches.at(i) = axis.notches ? axis.notches : axis.units.add(axis.value / units_per_notch);
        axis.notches = 0;
        axis.value = 0;
    }
    if (has_pointer_ && sink_ && (notches[0] || notches[1]))
        sink_->wheel(notches[WL_POINTER_AXIS_HORIZONTAL_SCROLL], notches[WL_POINTER_AXIS_VERTICAL_SCROLL]);
}

void WindowInput::grab(bool on)
{
    if (on == grabbed_)
        return;
    grabbed_ = on;
    lock_.reset();
    inhibitor_.reset();
    if (on && connection_.shortcuts_inhibit())
        inhibitor_.reset(zwp_keyboard_shortcuts_inhibit_manager_v1_inhibit_shortcuts(
            connection_.shortcuts_inhibit(), surface_, seat_.get()));
    if (on && pointer_ && connection_.pointer_constraints() && sink_ && !sink_->absolute())
        lock_.reset(zwp_pointer_constraints_v1_lock_pointer(connection_.pointer_constraints(), surface_,
                                                            pointer_.get(), nullptr,
                                                            ZWP_POINTER_CONSTRAINTS_V1_LIFETIME_PERSISTENT));
    owner_.grab_changed();
}

void WindowInput::set_cursor(const CursorImage &image)
{
    cursor_known_ = true;
    cursor_ = image.argb.empty() ? nullptr : buffer_of(connection_.shm(), image);
    hot_x_ = static_cast<int32_t>(image.hot_x);
    hot_y_ = static_cast<int32_t>(image.hot_y);
    apply_cursor();
}

void WindowInput::show_cursor(bool visible)
{
    cursor_visible_ = visible;
    apply_cursor();
}

void WindowInput::apply_cursor()
{
    if (!pointer_ || !has_pointer_ || !cursor_known_)
        return; // the compositor's own pointer stays until the guest has one
    if (!cursor_ || !cursor_visible_)
        return wl_pointer_set_cursor(pointer_.get(), enter_serial_, nullptr, 0, 0);
    if (!cursor_surface_)
        cursor_surface_.reset(wl_compositor_create_surface(connection_.compositor()));
    wl_surface_attach(cursor_surface_.get(), cursor_.get(), 0, 0);
    wl_surface_damage_buffer(cursor_surface_.get(), 0, 0, INT32_MAX, INT32_MAX);
    wl_surface_commit(cursor_surface_.get());
    wl_pointer_set_cursor(pointer_.get(), enter_serial_, cursor_surface_.get(), hot_x_, hot_y_);
}

} // namespace vramlink
