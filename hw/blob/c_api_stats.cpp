// SPDX-License-Identifier: GPL-2.0-or-later
//
// include/vramlink/blob_charges.h and blob_stats.h: the C side. Nothing is decided here; exceptions end here.

#include "hw/blob/c_api.hpp"

#include "hw/blob/still.hpp"

#include <cstring>
#include <exception>
#include <utility>

struct vrl_charge {
    vramlink::Charge charge;
};

vrl_charge *vrl_table_charge(vrl_table *table, vrl_resource what, uint64_t amount, const char *for_what)
{
    try {
        if (auto taken = table->blobs.charge(what, amount, for_what))
            return new vrl_charge{std::move(*taken)};
    } catch (const std::exception &) {
        table->blobs.log().say(VRL_LOG_GUEST, "no memory for a charge");
    }
    return nullptr;
}

void vrl_charge_free(vrl_charge *charge)
{
    delete charge;
}

void vrl_table_warn(vrl_table *table, const char *sentence)
{
    try {
        table->blobs.warn(sentence);
    } catch (const std::exception &) {
        return; // only the words are lost
    }
}

void vrl_table_tell_shown(vrl_table *table, uint32_t id, const char *how)
{
    try {
        table->blobs.tell_shown(id, how);
    } catch (const std::exception &) {
        return; // only the words are lost
    }
}

void vrl_table_count_copied(vrl_table *table, uint64_t bytes)
{
    table->blobs.count_copied(bytes);
}

struct vrl_still {
    vramlink::Still still;
};

vrl_still *vrl_still_new(vrl_table *table, uint32_t stride, uint32_t height)
{
    try {
        auto made = vramlink::Still::make(stride, height, table->blobs.resources());
        if (made)
            return new vrl_still{std::move(*made)};
        table->blobs.log().say(VRL_LOG_HOST, made.error().text);
    } catch (const std::exception &) {
        table->blobs.log().say(VRL_LOG_HOST, "no memory for a still");
    }
    return nullptr;
}

void vrl_still_free(vrl_still *still)
{
    delete still;
}

void *vrl_still_pixels(vrl_still *still)
{
    return still->still.pixels();
}

int vrl_still_dmabuf(const vrl_still *still)
{
    return still->still.dmabuf();
}

void vrl_table_count(vrl_table *table, vrl_event event)
{
    table->blobs.count(event);
}

void vrl_table_count_command(vrl_table *table, uint32_t type)
{
    table->blobs.count_command(type);
}

const char *vrl_command_name(uint32_t type)
{
    return vramlink::CommandCounts::name_of(type);
}

void vrl_table_count_error(vrl_table *table, vrl_status status)
{
    table->blobs.count_error(status);
}

char *vrl_table_blobs_json(const vrl_table *table, uint32_t page)
{
    try {
        return ::strdup(table->blobs.blobs_json(page).c_str());
    } catch (const std::exception &) {
        return nullptr;
    }
}

char *vrl_table_stats_json(const vrl_table *table)
{
    try {
        return ::strdup(table->blobs.stats_json().c_str());
    } catch (const std::exception &) {
        return nullptr;
    }
}
