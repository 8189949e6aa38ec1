// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/wayland/connection.hpp"

#include "hw/prime/software_renderer.hpp"

#include <drm_fourcc.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vramlink {
namespace {

/// An entry of the feedback's format table (linux-dmabuf-unstable-v1.xml, format_table).
struct TableEntry {
    uint32_t fourcc;
    uint32_t padding;
    uint64_t modifier;
};
static_assert(sizeof(TableEntry) == 16);

template <class T>
T *bound(wl_registry *registry, uint32_t name, const wl_interface &interface, uint32_t version)
{
    return static_cast<T *>(wl_registry_bind(registry, name, &interface, version));
}

} // namespace

/// wl_display on a GMainContext: read intentions begin in prepare() and end in check().
struct WaylandConnection::Source {
    GSource base;
    WaylandConnection *connection;
    gpointer tag;
    bool reading;

    static gboolean prepare(GSource *source, gint *timeout)
    {
        auto *self = reinterpret_cast<Source *>(source);
        wl_display *display = self->connection->display();
        *timeout = -1;
        if (self->reading)
            return FALSE;
        if (wl_display_prepare_read(display) != 0)
            return TRUE; // events wait already
        self->reading = true;
        wl_display_flush(display); // what does not fit now goes with the next iteration
        return FALSE;
    }
    static gboolean check(GSource *source)
    {
        auto *self = reinterpret_cast<Source *>(source);
        if (self->reading) {
            self->reading = false;
            if (g_source_query_unix_fd(source, self->tag) & (G_IO_IN | G_IO_ERR | G_IO_HUP))
                wl_display_read_events(self->connection->display());
            else
                wl_display_cancel_read(self->connection->display());
        }
        return TRUE; // dispatching nothing costs nothing
    }
    static gboolean dispatch(GSource *source, GSourceFunc, gpointer)
    {
        auto *self = reinterpret_cast<Source *>(source);
        WaylandConnection *connection = self->connection;
        if (wl_display_dispatch_pending(connection->display()) >= 0 &&
            wl_display_get_error(connection->display()) == 0)
            return G_SOURCE_CONTINUE;
        connection->gone_(connection->what_broke());
        return G_SOURCE_REMOVE;
    }
    static inline GSourceFuncs functions{&prepare, &check, &dispatch, nullptr, nullptr, nullptr};
};

void WaylandConnection::listen(std::function<void(const std::string &)> gone)
{
    gone_ = std::move(gone);
    if (source_)
        return;
    source_ = g_source_new(&Source::functions, sizeof(Source));
    auto *own = reinterpret_cast<Source *>(source_);
    own->connection = this;
    own->reading = false;
    constexpr auto events = static_cast<GIOCondition>(G_IO_IN | G_IO_ERR | G_IO_HUP);
    own->tag = g_source_add_unix_fd(source_, wl_display_get_fd(display()), events);
    g_source_attach(source_, nullptr);
}

WaylandConnection::~WaylandConnection()
{
    if (!source_)
        return;
    if (reinterpret_cast<Source *>(source_)->reading)
        wl_display_cancel_read(display());
    g_source_destroy(source_);
    g_source_unref(source_);
    wl_display_flush(display());
}

std::string WaylandConnection::what_broke() const
{
    const int code = wl_display_get_error(display());
    if (code != EPROTO)
        return fmt::format("the compositor is gone: {}", std::strerror(code ? code : EPIPE));
    const wl_interface *interface = nullptr;
    uint32_t id = 0;
    const uint32_t error = wl_display_get_protocol_error(display(), &interface, &id);
    return fmt::format("the compositor ended the connection: error {} of {}", error,
                       interface ? interface->name : "an unknown object");
}

bool WaylandConnection::wait(wl_event_queue *queue, std::chrono::milliseconds limit,
                             const std::function<bool()> &done)
{
    if (source_ &&
        reinterpret_cast<Source *>(source_)->reading) { // two readers in one thread would be a deadlock
        reinterpret_cast<Source *>(source_)->reading = false;
        wl_display_cancel_read(display());
    }
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
        if (wl_display_prepare_read_queue(display(), queue) != 0) {
            if (wl_display_dispatch_queue_pending(display(), queue) < 0)
                return false;
            continue;
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        const bool unsent = wl_display_flush(display()) < 0 && errno == EAGAIN;
        pollfd waiting{wl_display_get_fd(display()), static_cast<short>(unsent ? POLLIN | POLLOUT : POLLIN),
                       0};
        const int ready = left.count() > 0 ? poll(&waiting, 1, static_cast<int>(left.count())) : 0;
        if (ready > 0 && (waiting.revents & ~POLLOUT)) {
            if (wl_display_read_events(display()) < 0)
                return false;
        } else {
            wl_display_cancel_read(display());
            if (ready == 0 || (ready < 0 && errno != EINTR))
                return done();
        }
        if (wl_display_dispatch_queue_pending(display(), queue) < 0)
            return false;
    }
    return true;
}

bool WaylandConnection::roundtrip(std::chrono::milliseconds limit)
{
    const WlPtr<wl_event_queue> queue(wl_display_create_queue(display()));
    const WlWrapper wrapper(display(), queue.get());
    const WlPtr<wl_callback> callback(wl_display_sync(wrapper.get()));
    bool done = false;
    static const wl_callback_listener listener{
        [](void *flag, wl_callback *, uint32_t) { *static_cast<bool *>(flag) = true; }};
    wl_callback_add_listener(callback.get(), &listener, &done);
    return wait(queue.get(), limit, [&done] { return done; });
}

void WaylandConnection::bind(wl_registry *registry, uint32_t name, const std::string &interface,
                             uint32_t version)
{
    const auto is = [&](const wl_interface &wanted) { return interface == wanted.name; };
    if (is(wl_compositor_interface)) {
        compositor_.reset(
            bound<wl_compositor>(registry, name, wl_compositor_interface, std::min(version, 4U)));
    } else if (is(wl_shm_interface)) {
        shm_.reset(bound<wl_shm>(registry, name, wl_shm_interface, 1));
    } else if (is(xdg_wm_base_interface)) {
        shell_.reset(bound<xdg_wm_base>(registry, name, xdg_wm_base_interface, std::min(version, 3U)));
        static const xdg_wm_base_listener listener{
            [](void *, xdg_wm_base *shell, uint32_t serial) { xdg_wm_base_pong(shell, serial); }};
        xdg_wm_base_add_listener(shell_.get(), &listener, this);
    } else if (is(zwp_linux_dmabuf_v1_interface)) {
        bind_dmabuf(registry, name, version);
    } else if (is(wl_data_device_manager_interface) && version >= 3) {
        data_devices_.reset(
            bound<wl_data_device_manager>(registry, name, wl_data_device_manager_interface, 3));
    } else if (is(wl_subcompositor_interface)) {
        subcompositor_.reset(bound<wl_subcompositor>(registry, name, wl_subcompositor_interface, 1));
    } else if (is(wp_viewporter_interface)) {
        viewporter_.reset(bound<wp_viewporter>(registry, name, wp_viewporter_interface, 1));
    } else if (is(wp_presentation_interface)) {
        presentation_.reset(bound<wp_presentation>(registry, name, wp_presentation_interface, 1));
        static const wp_presentation_listener listener{[](void *self, wp_presentation *, uint32_t clock) {
            static_cast<WaylandConnection *>(self)->clock_ = static_cast<clockid_t>(clock);
        }};
        wp_presentation_add_listener(presentation_.get(), &listener, this);
    } else if (is(wp_fractional_scale_manager_v1_interface)) {
        fractional_scale_.reset(bound<wp_fractional_scale_manager_v1>(
            registry, name, wp_fractional_scale_manager_v1_interface, 1));
    } else if (is(zxdg_decoration_manager_v1_interface)) {
        decoration_.reset(
            bound<zxdg_decoration_manager_v1>(registry, name, zxdg_decoration_manager_v1_interface, 1));
    } else if (is(zwp_relative_pointer_manager_v1_interface)) {
        relative_pointer_.reset(bound<zwp_relative_pointer_manager_v1>(
            registry, name, zwp_relative_pointer_manager_v1_interface, 1));
    } else if (is(zwp_pointer_constraints_v1_interface)) {
        pointer_constraints_.reset(
            bound<zwp_pointer_constraints_v1>(registry, name, zwp_pointer_constraints_v1_interface, 1));
    } else if (is(zwp_keyboard_shortcuts_inhibit_manager_v1_interface)) {
        shortcuts_inhibit_.reset(bound<zwp_keyboard_shortcuts_inhibit_manager_v1>(
            registry, name, zwp_keyboard_shortcuts_inhibit_manager_v1_interface, 1));
    } else if (is(wl_seat_interface) && seat_version_ == 0) {
        seat_name_ = name;
        seat_version_ = version;
#ifdef VRAMLINK_DIRECT_DISPLAY
    } else if (is(weston_direct_display_v1_interface)) {
        direct_display_.reset(
            bound<weston_direct_display_v1>(registry, name, weston_direct_display_v1_interface, 1));
#endif
    }
}

WlPtr<wl_seat> WaylandConnection::bind_seat() const
{
    constexpr uint32_t newest = 5; // whole frames of pointer events, and notches
    if (seat_version_ < newest)
        return nullptr;
    return WlPtr<wl_seat>(bound<wl_seat>(registry_.get(), seat_name_, wl_seat_interface, newest));
}

void WaylandConnection::bind_dmabuf(wl_registry *registry, uint32_t name, uint32_t version)
{
    dmabuf_.reset(
        bound<zwp_linux_dmabuf_v1>(registry, name, zwp_linux_dmabuf_v1_interface, std::min(version, 4U)));
    static const zwp_linux_dmabuf_v1_listener listener{
        [](void *self, zwp_linux_dmabuf_v1 *dmabuf, uint32_t fourcc) {
            if (zwp_linux_dmabuf_v1_get_version(dmabuf) < ZWP_LINUX_DMABUF_V1_MODIFIER_SINCE_VERSION)
                static_cast<WaylandConnection *>(self)->formats_.add(fourcc, DRM_FORMAT_MOD_INVALID);
        },
        [](void *self, zwp_linux_dmabuf_v1 *, uint32_t fourcc, uint32_t high, uint32_t low) {
            static_cast<WaylandConnection *>(self)->formats_.add(fourcc, uint64_t{high} << 32 | low);
        }};
    zwp_linux_dmabuf_v1_add_listener(dmabuf_.get(), &listener, this);
    if (zwp_linux_dmabuf_v1_get_version(dmabuf_.get()) <
        ZWP_LINUX_DMABUF_V1_GET_DEFAULT_FEEDBACK_SINCE_VERSION)
        return;
    feedback_.reset(zwp_linux_dmabuf_v1_get_default_feedback(dmabuf_.get()));
    static const zwp_linux_dmabuf_feedback_v1_listener answers{
        [](void *self, zwp_linux_dmabuf_feedback_v1 *) { // done
            auto *connection = static_cast<WaylandConnection *>(self);
            connection->formats_ = std::move(connection->next_formats_);
            connection->next_formats_.clear();
        },
        [](void *self, zwp_linux_dmabuf_feedback_v1 *, int32_t fd, uint32_t size) {
            static_cast<WaylandConnection *>(self)->take_feedback_table(fd, size);
        },
        [](void *self, zwp_linux_dmabuf_feedback_v1 *, wl_array *bytes) {
            static_cast<WaylandConnection *>(self)->take_main_device(*bytes);
        },
        [](void *, zwp_linux_dmabuf_feedback_v1 *) {},
        [](void *, zwp_linux_dmabuf_feedback_v1 *, wl_array *) {},
        [](void *self, zwp_linux_dmabuf_feedback_v1 *, wl_array *indices) {
            auto *connection = static_cast<WaylandConnection *>(self);
            const auto *first = static_cast<const uint16_t *>(indices->data);
            for (size_t i = 0; i < indices->size / sizeof(uint16_t); i++) {
                if (first[i] < connection->table_.size())
                    connection->next_formats_.add(connection->table_[first[i]].first,
                                                  connection->table_[first[i]].second);
            }
        },
        [](void *, zwp_linux_dmabuf_feedback_v1 *, uint32_t) {}};
    zwp_linux_dmabuf_feedback_v1_add_listener(feedback_.get(), &answers, this);
}

void WaylandConnection::take_main_device(const wl_array &bytes)
{
    dev_t device{};
    if (bytes.size != sizeof device)
        return;
    std::memcpy(&device, bytes.data, sizeof device);
    draws_with_cpu_ = vramlink::draws_with_cpu(device);
}

void WaylandConnection::take_feedback_table(int fd, uint32_t size)
{
    const UniqueFd owned(fd);
    table_.clear();
    void *address = size ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, owned.get(), 0) : MAP_FAILED;
    if (address == MAP_FAILED)
        return; // then nothing is listed, and the frames take the fallback
    const auto *entries = static_cast<const TableEntry *>(address);
    for (size_t i = 0; i < size / sizeof(TableEntry); i++)
        table_.emplace_back(entries[i].fourcc, entries[i].modifier);
    munmap(address, size);
}

Result<std::unique_ptr<WaylandConnection>> WaylandConnection::open(const std::string &name,
                                                                   std::chrono::milliseconds limit)
{
    std::unique_ptr<WaylandConnection> connection(new WaylandConnection);
    connection->display_.reset(wl_display_connect(name.empty() ? nullptr : name.c_str()));
    if (!connection->display_) {
        const int code = errno;
        return fail(code, fmt::format("no Wayland compositor{}{}: {}", name.empty() ? "" : " at ", name,
                                      std::strerror(code)));
    }
    connection->registry_.reset(wl_display_get_registry(connection->display()));
    static const wl_registry_listener listener{
        [](void *self, wl_registry *registry, uint32_t id, const char *interface, uint32_t version) {
            static_cast<WaylandConnection *>(self)->bind(registry, id, interface, version);
        },
        [](void *, wl_registry *, uint32_t) {}};
    wl_registry_add_listener(connection->registry_.get(), &listener, connection.get());
    for (int round = 0; round < 2; round++) { // the globals, then what they say of themselves
        if (!connection->roundtrip(limit) || wl_display_dispatch_pending(connection->display()) < 0)
            return fail(ETIMEDOUT, wl_display_get_error(connection->display())
                                       ? connection->what_broke()
                                       : "the compositor does not answer");
    }
    for (const auto &[bound, interface] :
         {std::pair<void *, const char *>{connection->compositor(), "wl_compositor"},
          {connection->shm(), "wl_shm"},
          {connection->shell(), "xdg_wm_base"}}) {
        if (!bound)
            return fail(EPROTO, fmt::format("the compositor has no {}", interface));
    }
    return connection;
}

} // namespace vramlink
