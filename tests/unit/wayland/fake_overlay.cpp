// SPDX-License-Identifier: GPL-2.0-or-later

#include "tests/unit/wayland/fake_compositor.hpp"

namespace vramlink::test {
namespace {

void destroy(wl_client *, wl_resource *resource)
{
    wl_resource_destroy(resource);
}

const struct wl_subsurface_interface subsurface_calls {
    .destroy = destroy, .set_position = [](wl_client *, wl_resource *, int32_t, int32_t) {},
    .place_above = nullptr, .place_below = nullptr, .set_sync = nullptr,
    .set_desync = [](wl_client *, wl_resource *) {},
};

const struct wl_subcompositor_interface subcompositor_calls {
    .destroy = destroy,
    .get_subsurface = [](wl_client *client, wl_resource *, uint32_t id, wl_resource *, wl_resource *) {
        wl_resource_set_implementation(wl_resource_create(client, &wl_subsurface_interface, 1, id),
                                       &subsurface_calls, nullptr, nullptr);
    },
};

} // namespace

void offer_subsurfaces(wl_display *display, FakeCompositor &compositor)
{
    wl_global_create(display, &wl_subcompositor_interface, 1, &compositor,
                     [](wl_client *client, void *self, uint32_t, uint32_t id) {
                         wl_resource *bound = wl_resource_create(client, &wl_subcompositor_interface, 1, id);
                         wl_resource_set_implementation(bound, &subcompositor_calls, self, nullptr);
                     });
}

} // namespace vramlink::test
