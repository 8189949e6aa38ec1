// SPDX-License-Identifier: GPL-2.0-or-later
//
// include/vramlink/blob_table.h: the C side. Nothing is decided here; exceptions end here.

#include "hw/blob/c_api.hpp"

#include "hw/blob/plan.hpp"
#include "hw/export/vfio_events.hpp"
#include "hw/view/bus_guard.hpp"

#include <chrono>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <utility>

namespace {

using vramlink::State;

/// What @p body answers, or what an exception means.
template <class Body> vrl_status guarded(Body &&body) noexcept
{
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return VRL_ERR_OUT_OF_MEMORY;
    } catch (const std::exception &) {
        return VRL_ERR_UNSPEC;
    }
}

std::span<const vrl_entry> span_of(const vrl_entry *entries, uint32_t nr_entries)
{
    return entries != nullptr ? std::span(entries, nr_entries) : std::span<const vrl_entry>();
}

} // namespace

namespace vramlink {

vrl_table *new_table(const vrl_ops &ops, void *opaque, const vrl_limits *limits, const Host &host) noexcept
{
    try {
        return new vrl_table{{ops, opaque, limits != nullptr ? *limits : vrl_limits{}, host}};
    } catch (const std::exception &) {
        return nullptr;
    }
}

} // namespace vramlink

vrl_table *vrl_table_new(const vrl_ops *ops, void *opaque, const vrl_limits *limits)
{
    return vramlink::new_table(*ops, opaque, limits, vramlink::this_host());
}

void vrl_table_free(vrl_table *table)
{
    delete table;
}

vrl_status vrl_table_create(vrl_table *table, uint32_t id, uint64_t size, const vrl_entry *entries,
                            uint32_t nr_entries)
{
    return guarded([&] { return table->blobs.create(id, size, span_of(entries, nr_entries)); });
}

vrl_status vrl_table_attach(vrl_table *table, uint32_t id, const vrl_entry *entries, uint32_t nr_entries)
{
    return guarded([&] { return table->blobs.attach(id, span_of(entries, nr_entries)); });
}

vrl_status vrl_table_detach(vrl_table *table, uint32_t id)
{
    return table->blobs.detach(id);
}

vrl_status vrl_table_unref(vrl_table *table, uint32_t id)
{
    return table->blobs.unref(id);
}

void vrl_table_reset(vrl_table *table)
{
    table->blobs.reset();
}

uint32_t vrl_table_revoke_region(vrl_table *table, uint64_t region_id, const char *why)
{
    return table->blobs.revoke_region(region_id, why);
}

uint32_t vrl_table_revoke_addresses(vrl_table *table, uint64_t first, uint64_t last, const char *why)
{
    return table->blobs.revoke_addresses(first, last, why);
}

uint32_t vrl_table_revoke_device(vrl_table *table, int device_fd, const char *why)
{
    return table->blobs.revoke_device(device_fd, why);
}

int vrl_device_listen(int device_fd, int event)
{
    const auto listens = vramlink::VfioEvents(vramlink::kernel_calls()).listen(device_fd, event);
    return listens ? 0 : -listens.error();
}

uint32_t vrl_table_revoke_reported(vrl_table *table, int device_fd, const char *why)
{
    return table->blobs.revoke_reported(device_fd, why);
}

bool vrl_table_await(vrl_table *table, uint32_t id, uint32_t limit_ms)
{
    return table->blobs.await(id, std::chrono::milliseconds(limit_ms));
}

uint32_t vrl_table_revoke_lost(vrl_table *table, const char *why)
{
    return table->blobs.revoke_lost(why);
}

uint32_t vrl_table_revoke_range(vrl_table *table, uint64_t region_id, uint64_t first, uint64_t last,
                                const char *why)
{
    return table->blobs.revoke_range(region_id, first, last, why);
}

void vrl_table_imported_here(vrl_table *table, uint32_t id)
{
    table->blobs.imported_here(id);
}

void vrl_table_reap(vrl_table *table)
{
    table->blobs.reap();
}

uint32_t vrl_table_max_entries(const vrl_table *table)
{
    return table->blobs.max_entries();
}

bool vrl_can_count_references()
{
    return vramlink::can_count_references();
}

void vrl_reading_begin()
{
    vramlink::BusGuard::enter();
}

bool vrl_reading_end()
{
    vramlink::BusGuard::leave();
    return vrl_reading_lost();
}

bool vrl_reading_needed()
{
    return vramlink::BusGuard::needed();
}

bool vrl_reading_lost()
{
    static uint64_t told = 0;
    const uint64_t now = vramlink::BusGuard::losses();
    return std::exchange(told, now) != now;
}

bool vrl_table_in_vfio(const vrl_table *table, uint32_t id)
{
    return table->blobs.in_vfio(id);
}

uint64_t vrl_table_bytes_pinned(const vrl_table *table)
{
    return table->blobs.bytes_pinned();
}

void vrl_table_end_lingering(vrl_table *table)
{
    table->blobs.lose_lingering();
}

size_t vrl_table_lingering(const vrl_table *table)
{
    return table->blobs.lingering();
}

void vrl_table_tidy_lingering(vrl_table *table)
{
    table->blobs.tidy_lingering();
}

bool vrl_table_in_device(const vrl_table *table, int device_fd)
{
    return table->blobs.in_device(device_fd);
}

uint32_t vrl_table_vfio_blobs(const vrl_table *table)
{
    return table->blobs.vfio_blobs();
}

void vrl_table_save(const vrl_table *table, void (*save)(void *opaque, const vrl_saved_blob *blob),
                    void *opaque)
{
    table->blobs.save(save, opaque);
}

vrl_status vrl_table_restore(vrl_table *table, const vrl_saved_blob *blob)
{
    return guarded([&] { return table->blobs.restore(*blob); });
}

const char *vrl_plan_name(vrl_plan plan)
{
    return vramlink::plan_name(plan);
}

bool vrl_table_has(const vrl_table *table, uint32_t id)
{
    return table->blobs.has(id);
}

bool vrl_table_is_backed(const vrl_table *table, uint32_t id)
{
    return table->blobs.state(id) == State::Backed;
}

bool vrl_table_is_revoked(const vrl_table *table, uint32_t id)
{
    return table->blobs.state(id) == State::Revoked;
}

vrl_plan vrl_table_plan(const vrl_table *table, uint32_t id)
{
    return table->blobs.plan(id);
}

vrl_status vrl_framebuffer_init(vrl_table *table, uint32_t id, const vrl_framebuffer_request *request,
                                vrl_framebuffer *out)
{
    return guarded([&] { return table->blobs.framebuffer(id, *request, *out); });
}

bool vrl_table_dmabuf(vrl_table *table, uint32_t id, const vrl_framebuffer *fb, int *fd)
{
    try {
        const int borrowed = table->blobs.dmabuf(id, *fb);
        if (borrowed < 0)
            return false;
        *fd = borrowed;
        return true;
    } catch (const std::exception &) {
        return false; // no memory: this time the consumer takes the view
    }
}

void vrl_table_unshare(vrl_table *table, uint32_t id, const char *why)
{
    table->blobs.unshare(id, why);
}

bool vrl_table_probe_with(vrl_table *table, const char *node, char **error)
{
    try {
        auto opened = table->blobs.probe_with(node);
        *error = opened ? nullptr : ::strdup(opened.error().text.c_str());
        return opened.has_value();
    } catch (const std::exception &) {
        *error = nullptr;
        return false;
    }
}

void *vrl_table_view(vrl_table *table, uint32_t id, const vrl_framebuffer *fb)
{
    try {
        return table->blobs.view(id, *fb);
    } catch (const std::exception &) {
        table->blobs.log().say(VRL_LOG_HOST, "no memory for a CPU view");
        return nullptr;
    }
}

bool vrl_table_view_is_copy(vrl_table *table, uint32_t id, const vrl_framebuffer *fb)
{
    return table->blobs.view_is_copy(id, *fb);
}

void vrl_table_flush(vrl_table *table, uint32_t id, const vrl_framebuffer *fb, uint32_t x, uint32_t y,
                     uint32_t width, uint32_t height)
{
    table->blobs.flush(id, *fb, x, y, width, height);
}

bool vrl_table_convert(vrl_table *table, uint32_t id, const vrl_framebuffer *fb, void *to, uint32_t to_stride,
                       uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
    try {
        return table->blobs.convert(id, *fb, {to, to_stride}, {x, y, width, height});
    } catch (const std::exception &) {
        return false;
    }
}

void vrl_table_log(vrl_table *table, vrl_log_level level, const char *sentence)
{
    table->blobs.log().say(level, sentence);
}
