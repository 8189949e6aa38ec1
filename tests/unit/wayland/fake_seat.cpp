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

template <auto member, const wl_interface &interface>
void make(wl_client *client, wl_resource *seat, uint32_t id, const void *calls)
{
    wl_resource *made = wl_resource_create(client, &interface, wl_resource_get_version(seat), id);
    wl_resource_set_implementation(made, calls, &FakeCompositor::of(seat), [](wl_resource *gone) {
        FakeCompositor::of(gone).state().*member = nullptr;
    });
    FakeCompositor::of(seat).state().*member = made;
}

const struct wl_seat_interface seat_calls {
    .get_pointer =
        [](wl_client *client, wl_resource *seat, uint32_t id) {
            make<&FakeCompositor::State::pointer, wl_pointer_interface>(client, seat, id, &pointer_calls);
        },
    .get_keyboard =
        [](wl_client *client, wl_resource *seat, uint32_t id) {
            make<&FakeCompositor::State::keyboard, wl_keyboard_interface>(client, seat, id, &keyboard_calls);
        },
    .get_touch = nullptr, .release = destroy,
};

} // namespace

void offer_seat(wl_display *display, FakeCompositor &compositor)
{
    wl_global_create(display, &wl_seat_interface, 5, &compositor,
                     [](wl_client *client, void *self, uint32_t, uint32_t id) {
                         wl_resource *bound = wl_resource_create(client, &wl_seat_interface, 5, id);
                         wl_resource_set_implementation(bound, &seat_calls, self, nullptr);
                         wl_seat_send_capabilities(bound,
                                                   WL_SEAT_CAPABILITY_KEYBOARD | WL_SEAT_CAPABILITY_POINTER);
                     });
}

void FakeCompositor::focus(bool in)
{
    with([in](State &state) {
        wl_array none;
        wl_array_init(&none);
        if (in) {
            wl_keyboard_send_enter(state.keyboard, 1, state.surface, &none);
            wl_pointer_send_enter(state.pointer, 1, state.surface, 0, 0);
        } else {
            wl_keyboard_send_leave(state.keyboard, 2, state.surface);
            wl_pointer_send_leave(state.pointer, 2, state.surface);
        }
    });
}

void FakeCompositor::key(uint32_t evdev, bool pressed)
{
    with([&](State &state) { wl_keyboard_send_key(state.keyboard, 3, 0, evdev, pressed); });
}

void FakeCompositor::button(uint32_t evdev, bool pressed)
{
    with([&](State &state) {
        wl_pointer_send_button(state.pointer, 4, 0, evdev, pressed);
        wl_pointer_send_frame(state.pointer);
    });
}

void FakeCompositor::move(double x, double y)
{
    with([&](State &state) {
        wl_pointer_send_motion(state.pointer, 0, wl_fixed_from_double(x), wl_fixed_from_double(y));
        wl_pointer_send_frame(state.pointer);
    });
}

void FakeCompositor::wheel(int notches)
{
    with([&](State &state) {
        wl_pointer_send_axis_discrete(state.pointer, WL_POINTER_AXIS_VERTICAL_SCROLL, notches);
        wl_pointer_send_axis(state.pointer, 0, WL_POINTER_AXIS_VERTICAL_SCROLL,
                             wl_fixed_from_int(15 * notches));
        wl_pointer_send_frame(state.pointer);
    });
}

} // namespace vramlink::test
