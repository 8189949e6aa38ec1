// SPDX-License-Identifier: GPL-2.0-or-later

#include "tests/unit/wayland/fake_compositor.hpp"

#include "linux-dmabuf-unstable-v1-server-protocol.h"
#include "viewporter-server-protocol.h"
#include "xdg-shell-server-protocol.h"

#include <drm_fourcc.h>
#include <unistd.h>

namespace vramlink::test {
namespace {

void destroy(wl_client *, wl_resource *resource)
{
    wl_resource_destroy(resource);
}

/// A new object of the compositor's whose calls are @p calls.
wl_resource *make(wl_client *client, wl_resource *parent, const wl_interface &interface, uint32_t id,
                  const void *calls, void (*gone)(wl_resource *) = nullptr)
{
    wl_resource *made = wl_resource_create(client, &interface, wl_resource_get_version(parent), id);
    wl_resource_set_implementation(made, calls, &FakeCompositor::of(parent), gone);
    return made;
}

const struct xdg_toplevel_interface toplevel_calls {
    .destroy = destroy, .set_parent = nullptr,
    .set_title = [](wl_client *, wl_resource *toplevel,
                    const char *title) { FakeCompositor::of(toplevel).window_of(toplevel).title = title; },
    .set_app_id = [](wl_client *, wl_resource *, const char *) {}, .show_window_menu = nullptr,
    .move = nullptr, .resize = nullptr, .set_max_size = nullptr, .set_min_size = nullptr,
    .set_maximized = nullptr, .unset_maximized = nullptr,
    .set_fullscreen =
        [](wl_client *, wl_resource *toplevel, wl_resource *) {
            FakeCompositor::of(toplevel).window_of(toplevel).full_screen = true;
        },
    .unset_fullscreen =
        [](wl_client *, wl_resource *toplevel) {
            FakeCompositor::of(toplevel).window_of(toplevel).full_screen = false;
        },
    .set_minimized = nullptr,
};

const struct xdg_surface_interface xdg_surface_calls {
    .destroy = destroy,
    .get_toplevel =
        [](wl_client *client, wl_resource *surface, uint32_t id) {
            FakeCompositor::of(surface).window_of(surface).toplevel =
                make(client, surface, xdg_toplevel_interface, id, &toplevel_calls);
        },
    .get_popup = nullptr, .set_window_geometry = nullptr,
    .ack_configure = [](wl_client *, wl_resource *, uint32_t) {},
};

const struct xdg_wm_base_interface shell_calls {
    .destroy = destroy, .create_positioner = nullptr,
    .get_xdg_surface =
        [](wl_client *client, wl_resource *shell, uint32_t id, wl_resource *surface) {
            FakeCompositor::of(shell).window_of(surface).xdg_surface =
                make(client, shell, xdg_surface_interface, id, &xdg_surface_calls);
        },
    .pong = [](wl_client *, wl_resource *, uint32_t) {},
};

const struct wp_viewport_interface viewport_calls {
    .destroy = destroy,
    .set_source = [](wl_client *, wl_resource *, wl_fixed_t, wl_fixed_t, wl_fixed_t, wl_fixed_t) {},
    .set_destination = [](wl_client *, wl_resource *viewport, int32_t width, int32_t height) {
        FakeCompositor::of(viewport).window_of(viewport).width = width;
        FakeCompositor::of(viewport).window_of(viewport).height = height;
    },
};

const struct wp_viewporter_interface viewporter_calls {
    .destroy = destroy,
    .get_viewport = [](wl_client *client, wl_resource *viewporter, uint32_t id, wl_resource *surface) {
        FakeCompositor::of(viewporter).window_of(surface).viewport =
            make(client, viewporter, wp_viewport_interface, id, &viewport_calls);
    },
};

const struct wl_buffer_interface buffer_calls {
    .destroy = destroy
};

void dmabuf_gone(wl_resource *buffer)
{
    auto &compositor = FakeCompositor::of(buffer);
    --compositor.state().dmabufs_live;
    compositor.for_each_window([buffer](auto &window) {
        for (wl_resource **known : {&window.pending, &window.shown, &window.held}) {
            if (*known == buffer)
                *known = nullptr;
        }
    });
}

void create(wl_client *client, wl_resource *params, int32_t, int32_t, uint32_t, uint32_t)
{
    auto &state = FakeCompositor::of(params).state();
    ++state.imports;
    if (state.refuses_imports)
        return zwp_linux_buffer_params_v1_send_failed(params);
    wl_resource *buffer = wl_resource_create(client, &wl_buffer_interface, 1, 0);
    wl_resource_set_implementation(buffer, &buffer_calls, &FakeCompositor::of(params), dmabuf_gone);
    ++state.dmabufs_live;
    zwp_linux_buffer_params_v1_send_created(params, buffer);
}

const struct zwp_linux_buffer_params_v1_interface params_calls {
    .destroy = destroy,
    .add = [](wl_client *, wl_resource *, int32_t fd, uint32_t, uint32_t, uint32_t, uint32_t,
              uint32_t) { close(fd); },
    .create = create, .create_immed = nullptr,
};

const struct zwp_linux_dmabuf_v1_interface dmabuf_calls {
    .destroy = destroy,
    .create_params =
        [](wl_client *client, wl_resource *dmabuf, uint32_t id) {
            make(client, dmabuf, zwp_linux_buffer_params_v1_interface, id, &params_calls);
        },
    .get_default_feedback = nullptr, .get_surface_feedback = nullptr,
};

} // namespace

void offer_shell(wl_display *display, FakeCompositor &compositor)
{
    wl_global_create(display, &xdg_wm_base_interface, 1, &compositor,
                     [](wl_client *client, void *self, uint32_t, uint32_t id) {
                         wl_resource *bound = wl_resource_create(client, &xdg_wm_base_interface, 1, id);
                         wl_resource_set_implementation(bound, &shell_calls, self, nullptr);
                     });
    wl_global_create(display, &wp_viewporter_interface, 1, &compositor,
                     [](wl_client *client, void *self, uint32_t, uint32_t id) {
                         wl_resource *bound = wl_resource_create(client, &wp_viewporter_interface, 1, id);
                         wl_resource_set_implementation(bound, &viewporter_calls, self, nullptr);
                     });
}

void offer_dmabuf(wl_display *display, FakeCompositor &compositor)
{
    wl_global_create(
        display, &zwp_linux_dmabuf_v1_interface, 3, &compositor,
        [](wl_client *client, void *self, uint32_t, uint32_t id) {
            wl_resource *bound = wl_resource_create(client, &zwp_linux_dmabuf_v1_interface, 3, id);
            wl_resource_set_implementation(bound, &dmabuf_calls, self, nullptr);
            zwp_linux_dmabuf_v1_send_modifier(bound, DRM_FORMAT_XRGB8888, 0, DRM_FORMAT_MOD_LINEAR);
        });
}

} // namespace vramlink::test
