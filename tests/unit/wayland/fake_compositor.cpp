// SPDX-License-Identifier: GPL-2.0-or-later

#include "tests/unit/wayland/fake_compositor.hpp"

#include "xdg-shell-server-protocol.h"

#include <chrono>
#include <stdexcept>
#include <utility>

namespace vramlink::test {
namespace {

void destroy(wl_client *, wl_resource *resource)
{
    wl_resource_destroy(resource);
}

void commit(wl_client *, wl_resource *surface)
{
    auto &compositor = FakeCompositor::of(surface);
    auto &state = compositor.state();
    if (!std::exchange(state.pending_attached, false)) {
        if (state.xdg_surface && state.commits == 0)
            compositor.send_configure(0, 0, state.full_screen);
        return;
    }
    wl_resource *before = std::exchange(state.shown, state.pending);
    if (before && before != state.shown) {
        if (state.releases)
            wl_buffer_send_release(before);
        else
            state.held = before;
    }
    ++state.commits;
    state.shows_dmabuf = state.shown && !wl_shm_buffer_get(state.shown);
    if (state.asks_for_frames)
        compositor.fire_frames();
}

const struct wl_surface_interface surface_calls {
    .destroy = destroy,
    .attach =
        [](wl_client *, wl_resource *surface, wl_resource *buffer, int32_t, int32_t) {
            FakeCompositor::of(surface).state().pending = buffer;
            FakeCompositor::of(surface).state().pending_attached = true;
        },
    .damage = [](wl_client *, wl_resource *, int32_t, int32_t, int32_t, int32_t) {},
    .frame =
        [](wl_client *client, wl_resource *surface, uint32_t id) {
            wl_resource *callback = wl_resource_create(client, &wl_callback_interface, 1, id);
            wl_resource_set_implementation(
                callback, nullptr, &FakeCompositor::of(surface), [](wl_resource *gone) {
                    std::erase(FakeCompositor::of(gone).state().frame_callbacks, gone);
                });
            FakeCompositor::of(surface).state().frame_callbacks.push_back(callback);
        },
    .set_opaque_region = [](wl_client *, wl_resource *, wl_resource *) {},
    .set_input_region = [](wl_client *, wl_resource *, wl_resource *) {}, .commit = commit,
    .set_buffer_transform = [](wl_client *, wl_resource *, int32_t) {},
    .set_buffer_scale = [](wl_client *, wl_resource *, int32_t) {},
    .damage_buffer = [](wl_client *, wl_resource *surface, int32_t, int32_t, int32_t width,
                        int32_t) { FakeCompositor::of(surface).state().damage_width = width; },
    .offset = nullptr,
};

const struct wl_compositor_interface compositor_calls {
    .create_surface =
        [](wl_client *client, wl_resource *compositor, uint32_t id) {
            wl_resource *surface = wl_resource_create(client, &wl_surface_interface, 4, id);
            wl_resource_set_implementation(
                surface, &surface_calls, &FakeCompositor::of(compositor),
                [](wl_resource *gone) { FakeCompositor::of(gone).state().surface = nullptr; });
            FakeCompositor::of(compositor).state().surface = surface;
        },
    .create_region = nullptr,
};

} // namespace

FakeCompositor::FakeCompositor(bool dmabuf) : display_(wl_display_create())
{
    const char *name = wl_display_add_socket_auto(display_);
    if (!name)
        throw std::runtime_error("no socket for the compositor: is XDG_RUNTIME_DIR set?");
    socket_ = name;
    wl_display_init_shm(display_);
    wl_global_create(display_, &wl_compositor_interface, 4, this,
                     [](wl_client *client, void *self, uint32_t version, uint32_t id) {
                         wl_resource *bound = wl_resource_create(client, &wl_compositor_interface,
                                                                 static_cast<int>(version), id);
                         wl_resource_set_implementation(bound, &compositor_calls, self, nullptr);
                     });
    offer_shell(display_, *this);
    offer_seat(display_, *this);
    if (dmabuf)
        offer_dmabuf(display_, *this);
    thread_ = std::thread([this] { run(); });
}

FakeCompositor::~FakeCompositor()
{
    ends_ = true;
    thread_.join();
    wl_display_destroy_clients(display_);
    wl_display_destroy(display_);
}

void FakeCompositor::run()
{
    while (!ends_) {
        {
            const std::lock_guard lock(mutex_);
            wl_event_loop_dispatch(wl_display_get_event_loop(display_), 0);
            wl_display_flush_clients(display_);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

void FakeCompositor::fire_frames()
{
    for (wl_resource *callback : std::exchange(state_.frame_callbacks, {})) {
        wl_callback_send_done(callback, 0);
        wl_resource_destroy(callback);
    }
}

void FakeCompositor::ask_for_frames()
{
    with([this](State &) { fire_frames(); });
}

void FakeCompositor::release_held()
{
    with([](State &state) {
        if (wl_resource *held = std::exchange(state.held, nullptr))
            wl_buffer_send_release(held);
    });
}

void FakeCompositor::send_configure(int32_t width, int32_t height, bool full_screen)
{
    wl_array states;
    wl_array_init(&states);
    if (full_screen)
        *static_cast<uint32_t *>(wl_array_add(&states, sizeof(uint32_t))) = XDG_TOPLEVEL_STATE_FULLSCREEN;
    xdg_toplevel_send_configure(state_.toplevel, width, height, &states);
    xdg_surface_send_configure(state_.xdg_surface, 1);
    wl_array_release(&states);
}

void FakeCompositor::configure(int32_t width, int32_t height, bool full_screen)
{
    with([&](State &) { send_configure(width, height, full_screen); });
}

void FakeCompositor::close_window()
{
    with([](State &state) { xdg_toplevel_send_close(state.toplevel); });
}

} // namespace vramlink::test
