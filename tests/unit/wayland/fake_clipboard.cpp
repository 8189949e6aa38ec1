// SPDX-License-Identifier: GPL-2.0-or-later

#include "tests/unit/wayland/fake_compositor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace vramlink::test {
namespace {

void destroy(wl_client *, wl_resource *resource)
{
    wl_resource_destroy(resource);
}

const struct wl_data_source_interface source_calls {
    .offer = [](wl_client *, wl_resource *source,
                const char *mime) { FakeCompositor::of(source).state().source_types.emplace_back(mime); },
    .destroy = destroy, .set_actions = nullptr,
};

const struct wl_data_offer_interface offer_calls {
    .accept = nullptr,
    .receive =
        [](wl_client *, wl_resource *offer, const char *, int32_t fd) {
            const std::string &text = FakeCompositor::of(offer).state().selection;
            if (text != "never ends") {
                (void)fcntl(fd, F_SETPIPE_SZ, 1 << 20);
                (void)!write(fd, text.data(), text.size());
                close(fd);
            }
        },
    .destroy = destroy, .finish = nullptr, .set_actions = nullptr,
};

void introduce(FakeCompositor &compositor, const std::vector<std::string> &types)
{
    for (wl_resource *device : compositor.state().data_devices) {
        wl_resource *offer =
            wl_resource_create(wl_resource_get_client(device), &wl_data_offer_interface, 3, 0);
        wl_resource_set_implementation(offer, &offer_calls, &compositor, nullptr);
        wl_data_device_send_data_offer(device, offer);
        for (const std::string &type : types)
            wl_data_offer_send_offer(offer, type.c_str());
        wl_data_device_send_selection(device, offer);
    }
}

const struct wl_data_device_interface device_calls {
    .start_drag = nullptr,
    .set_selection =
        [](wl_client *, wl_resource *device, wl_resource *source, uint32_t) {
            auto &compositor = FakeCompositor::of(device);
            compositor.state().source = source;
            ++compositor.state().selections;
            introduce(compositor, compositor.state().source_types);
        },
    .release = destroy,
};

const struct wl_data_device_manager_interface manager_calls {
    .create_data_source =
        [](wl_client *client, wl_resource *manager, uint32_t id) {
            auto &compositor = FakeCompositor::of(manager);
            compositor.state().source_types.clear();
            wl_resource *source = wl_resource_create(client, &wl_data_source_interface, 3, id);
            wl_resource_set_implementation(source, &source_calls, &compositor, [](wl_resource *gone) {
                if (FakeCompositor::of(gone).state().source == gone)
                    FakeCompositor::of(gone).state().source = nullptr;
            });
        },
    .get_data_device = [](wl_client *client, wl_resource *manager, uint32_t id, wl_resource *) {
        auto &compositor = FakeCompositor::of(manager);
        wl_resource *device = wl_resource_create(client, &wl_data_device_interface, 3, id);
        wl_resource_set_implementation(device, &device_calls, &compositor, [](wl_resource *gone) {
            std::erase(FakeCompositor::of(gone).state().data_devices, gone);
        });
        compositor.state().data_devices.push_back(device);
    },
};

} // namespace

void offer_clipboard(wl_display *display, FakeCompositor &compositor)
{
    wl_global_create(display, &wl_data_device_manager_interface, 3, &compositor,
                     [](wl_client *client, void *self, uint32_t, uint32_t id) {
                         wl_resource *bound =
                             wl_resource_create(client, &wl_data_device_manager_interface, 3, id);
                         wl_resource_set_implementation(bound, &manager_calls, self, nullptr);
                     });
}

void FakeCompositor::copy(const std::string &text, const char *mime)
{
    with([&](State &state) {
        state.selection = text;
        if (state.source)
            wl_data_source_send_cancelled(state.source);
        state.source = nullptr;
        introduce(*this, {"image/png", mime});
    });
}

int FakeCompositor::paste()
{
    std::array<int, 2> ends{-1, -1};
    (void)!pipe2(ends.data(), O_CLOEXEC);
    with([&](State &state) {
        if (state.source)
            wl_data_source_send_send(state.source, "text/plain;charset=utf-8", ends[1]);
    });
    close(ends[1]);
    return ends[0];
}

} // namespace vramlink::test
