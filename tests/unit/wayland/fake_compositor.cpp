// SPDX-License-Identifier: GPL-2.0-or-later

#include "tests/unit/wayland/fake_compositor.hpp"

#include "xdg-shell-server-protocol.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <stdexcept>
#include <utility>

namespace vramlink::test {
namespace {

void destroy(wl_client *, wl_resource *resource)
{
    wl_resource_destroy(resource);
}

int lit_pixels(wl_resource *buffer)
{
    wl_shm_buffer *shm = buffer ? wl_shm_buffer_get(buffer) : nullptr;
    if (!shm)
        return 0;
    const auto *pixels = static_cast<const uint32_t *>(wl_shm_buffer_get_data(shm));
    const std::span all(pixels, static_cast<size_t>(wl_shm_buffer_get_width(shm)) *
                                    static_cast<size_t>(wl_shm_buffer_get_height(shm)));
    wl_shm_buffer_begin_access(shm);
    const auto lit = std::ranges::count_if(all, [&](uint32_t pixel) { return pixel != all.front(); });
    wl_shm_buffer_end_access(shm);
    return static_cast<int>(lit);
}

void commit(wl_client *, wl_resource *surface)
{
    auto &compositor = FakeCompositor::of(surface);
    auto &window = compositor.window_of(surface);
    if (!std::exchange(window.pending_attached, false)) {
        if (window.toplevel && window.commits == 0)
            FakeCompositor::send_configure(window, 0, 0, window.full_screen);
        return;
    }
    wl_resource *before = std::exchange(window.shown, window.pending);
    if (before && before != window.shown) {
        if (compositor.state().releases)
            wl_buffer_send_release(before);
        else
            window.held = before;
    }
    ++window.commits;
    window.shows_dmabuf = window.shown && !wl_shm_buffer_get(window.shown);
    window.lit = lit_pixels(window.shown);
    if (compositor.state().asks_for_frames)
        compositor.fire_frames();
}

const struct wl_surface_interface surface_calls {
    .destroy = destroy,
    .attach =
        [](wl_client *, wl_resource *surface, wl_resource *buffer, int32_t, int32_t) {
            auto &window = FakeCompositor::of(surface).window_of(surface);
            window.pending = buffer;
            window.pending_attached = true;
        },
    .damage = [](wl_client *, wl_resource *, int32_t, int32_t, int32_t, int32_t) {},
    .frame =
        [](wl_client *client, wl_resource *surface, uint32_t id) {
            wl_resource *callback = wl_resource_create(client, &wl_callback_interface, 1, id);
            wl_resource_set_implementation(callback, nullptr, &FakeCompositor::of(surface),
                                           [](wl_resource *gone) {
                                               FakeCompositor::of(gone).for_each_window([gone](auto &window) {
                                                   std::erase(window.frame_callbacks, gone);
                                               });
                                           });
            FakeCompositor::of(surface).window_of(surface).frame_callbacks.push_back(callback);
        },
    .set_opaque_region = [](wl_client *, wl_resource *, wl_resource *) {},
    .set_input_region = [](wl_client *, wl_resource *, wl_resource *) {}, .commit = commit,
    .set_buffer_transform = [](wl_client *, wl_resource *, int32_t) {},
    .set_buffer_scale = [](wl_client *, wl_resource *, int32_t) {},
    .damage_buffer = [](wl_client *, wl_resource *surface, int32_t, int32_t, int32_t width,
                        int32_t) { FakeCompositor::of(surface).window_of(surface).damage_width = width; },
    .offset = nullptr,
};

const struct wl_compositor_interface compositor_calls {
    .create_surface =
        [](wl_client *client, wl_resource *compositor, uint32_t id) {
            wl_resource *surface = wl_resource_create(client, &wl_surface_interface, 4, id);
            auto &self = FakeCompositor::of(compositor);
            wl_resource_set_implementation(surface, &surface_calls, &self,
                                           [](wl_resource *gone) { FakeCompositor::of(gone).forget(gone); });
            FakeCompositor::Window window;
            window.surface = surface;
            if (self.state().surface)
                self.state().more.push_back(std::move(window));
            else
                static_cast<FakeCompositor::Window &>(self.state()) = std::move(window);
        },
    .create_region = [](wl_client *client, wl_resource *, uint32_t id) {
        static const struct wl_region_interface calls {
            .destroy = destroy, .add = nullptr, .subtract = nullptr,
        };
        wl_resource_set_implementation(wl_resource_create(client, &wl_region_interface, 1, id), &calls,
                                       nullptr, nullptr);
    },
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
    offer_subsurfaces(display_, *this);
    offer_clipboard(display_, *this);
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

int FakeCompositor::State::windows() const
{
    return static_cast<int>(std::ranges::count_if(more, [](auto &w) { return w.toplevel && w.shown; })) +
           (toplevel && shown ? 1 : 0);
}

FakeCompositor::Window &FakeCompositor::window_of(wl_resource *resource)
{
    for (Window &window : state_.more) {
        if (resource == window.surface || resource == window.xdg_surface || resource == window.toplevel ||
            resource == window.viewport)
            return window;
    }
    return state_;
}

void FakeCompositor::forget(wl_resource *surface)
{
    for (wl_resource *callback : std::exchange(window_of(surface).frame_callbacks, {}))
        wl_resource_destroy(callback);
    std::erase_if(state_.more, [surface](auto &window) { return window.surface == surface; });
    if (state_.surface == surface)
        state_.surface = state_.xdg_surface = state_.toplevel = state_.viewport = nullptr;
}

void FakeCompositor::fire_frames()
{
    for_each_window([](Window &window) {
        for (wl_resource *callback : std::exchange(window.frame_callbacks, {})) {
            wl_callback_send_done(callback, 0);
            wl_resource_destroy(callback);
        }
    });
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

void FakeCompositor::send_configure(const Window &window, int32_t width, int32_t height, bool full_screen)
{
    wl_array states;
    wl_array_init(&states);
    if (full_screen)
        *static_cast<uint32_t *>(wl_array_add(&states, sizeof(uint32_t))) = XDG_TOPLEVEL_STATE_FULLSCREEN;
    xdg_toplevel_send_configure(window.toplevel, width, height, &states);
    xdg_surface_send_configure(window.xdg_surface, 1);
    wl_array_release(&states);
}

void FakeCompositor::configure(int32_t width, int32_t height, bool full_screen)
{
    with([&](State &state) { send_configure(state, width, height, full_screen); });
}

void FakeCompositor::close_window()
{
    with([](State &state) { xdg_toplevel_send_close(state.toplevel); });
}

void FakeCompositor::close_window(const std::string &title)
{
    with([&](State &) {
        for_each_window([&](const Window &window) {
            if (window.toplevel && window.title == title)
                xdg_toplevel_send_close(window.toplevel);
        });
    });
}

} // namespace vramlink::test
