// SPDX-License-Identifier: GPL-2.0-or-later

#include "tests/unit/wayland/fake_compositor.hpp"

namespace vramlink::test {
namespace {

void destroy(wl_client *, wl_resource *resource)
{
    wl_resource_destroy(resource);
}

const struct wl_keyboard_interface keyboard_calls {
    .release = destroy
};

const struct wl_pointer_interface pointer_calls {
    .set_cursor = [](wl_client *, wl_resource *, uint32_t, wl_resource *, int32_t, int32_t) {},
    .release = destroy,
};

const struct wl_touch_interface touch_calls {
    .release = destroy
};

template <auto member, const wl_interface &interface>
void make(wl_client *client, wl_resource *seat, uint32_t id, const void *calls)
{
    wl_resource *made = wl_resource_create(client, &interface, wl_resource_get_version(seat), id);
    wl_resource_set_implementation(made, calls, &FakeCompositor::of(seat), [](wl_resource *gone) {
        std::erase(FakeCompositor::of(gone).state().*member, gone);
    });
    (FakeCompositor::of(seat).state().*member).push_back(made);
}

const struct wl_seat_interface seat_calls {
    .get_pointer =
        [](wl_client *client, wl_resource *seat, uint32_t id) {
            make<&FakeCompositor::State::pointers, wl_pointer_interface>(client, seat, id, &pointer_calls);
        },
    .get_keyboard =
        [](wl_client *client, wl_resource *seat, uint32_t id) {
            make<&FakeCompositor::State::keyboards, wl_keyboard_interface>(client, seat, id, &keyboard_calls);
        },
    .get_touch =
        [](wl_client *client, wl_resource *seat, uint32_t id) {
            make<&FakeCompositor::State::touches, wl_touch_interface>(client, seat, id, &touch_calls);
        },
    .release = destroy,
};

} // namespace

void offer_seat(wl_display *display, FakeCompositor &compositor)
{
    wl_global_create(display, &wl_seat_interface, 5, &compositor,
                     [](wl_client *client, void *self, uint32_t, uint32_t id) {
                         wl_resource *bound = wl_resource_create(client, &wl_seat_interface, 5, id);
                         wl_resource_set_implementation(bound, &seat_calls, self, nullptr);
                         wl_seat_send_capabilities(bound, WL_SEAT_CAPABILITY_KEYBOARD |
                                                              WL_SEAT_CAPABILITY_POINTER |
                                                              WL_SEAT_CAPABILITY_TOUCH);
                     });
}

void FakeCompositor::focus(bool in)
{
    with([in](State &state) {
        wl_array none;
        wl_array_init(&none);
        for (wl_resource *keyboard : state.keyboards) {
            if (in)
                wl_keyboard_send_enter(keyboard, 1, state.surface, &none);
            else
                wl_keyboard_send_leave(keyboard, 2, state.surface);
        }
        for (wl_resource *pointer : state.pointers) {
            if (in)
                wl_pointer_send_enter(pointer, 1, state.surface, 0, 0);
            else
                wl_pointer_send_leave(pointer, 2, state.surface);
        }
    });
}

void FakeCompositor::key(uint32_t evdev, bool pressed)
{
    with([&](State &state) {
        for (wl_resource *keyboard : state.keyboards)
            wl_keyboard_send_key(keyboard, 3, 0, evdev, pressed);
    });
}

void FakeCompositor::button(uint32_t evdev, bool pressed)
{
    with([&](State &state) {
        for (wl_resource *pointer : state.pointers) {
            wl_pointer_send_button(pointer, 4, 0, evdev, pressed);
            wl_pointer_send_frame(pointer);
        }
    });
}

void FakeCompositor::move(double x, double y)
{
    with([&](State &state) {
        for (wl_resource *pointer : state.pointers) {
            wl_pointer_send_motion(pointer, 0, wl_fixed_from_double(x), wl_fixed_from_double(y));
            wl_pointer_send_frame(pointer);
        }
    });
}

void FakeCompositor::wheel(int notches)
{
    with([&](State &state) {
        for (wl_resource *pointer : state.pointers) {
            wl_pointer_send_axis_discrete(pointer, WL_POINTER_AXIS_VERTICAL_SCROLL, notches);
            wl_pointer_send_axis(pointer, 0, WL_POINTER_AXIS_VERTICAL_SCROLL,
                                 wl_fixed_from_int(15 * notches));
            wl_pointer_send_frame(pointer);
        }
    });
}

void FakeCompositor::touch_down(int32_t id, double x, double y)
{
    with([&](State &state) {
        for (wl_resource *touch : state.touches)
            wl_touch_send_down(touch, 5, 0, state.surface, id, wl_fixed_from_double(x),
                               wl_fixed_from_double(y));
    });
}

void FakeCompositor::touch_move(int32_t id, double x, double y)
{
    with([&](State &state) {
        for (wl_resource *touch : state.touches)
            wl_touch_send_motion(touch, 0, id, wl_fixed_from_double(x), wl_fixed_from_double(y));
    });
}

void FakeCompositor::touch_up(int32_t id)
{
    with([&](State &state) {
        for (wl_resource *touch : state.touches)
            wl_touch_send_up(touch, 6, 0, id);
    });
}

void FakeCompositor::touch_cancel()
{
    with([&](State &state) {
        for (wl_resource *touch : state.touches)
            wl_touch_send_cancel(touch);
    });
}

} // namespace vramlink::test
