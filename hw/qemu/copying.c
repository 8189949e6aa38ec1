/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/copying.h"

#include "hw/qemu/deferred.h"
#include "hw/qemu/later.h"
#include "hw/qemu/slice.h"

#include "ui/surface.h"

/* Rows that are copied between two looks at the clock. */
#define BAND 8u

VramDamage vram_damage_union(VramDamage a, VramDamage b)
{
    uint32_t x, y;

    if (!a.width)
        return b;
    if (!b.width)
        return a;
    x = MIN(a.x, b.x);
    y = MIN(a.y, b.y);
    return (VramDamage){x, y, MAX(a.x + a.width, b.x + b.width) - x, MAX(a.y + a.height, b.y + b.height) - y};
}

static QemuConsole *console(VramGPU *vg, uint32_t scanout_id)
{
    return vg->parent_obj.parent_obj.scanout[scanout_id].con;
}

bool vram_copying_flips(const VramGPU *vg, uint32_t scanout_id)
{
    return vg->scanout[scanout_id].copying.surface != NULL;
}

bool vram_copying_any(const VramGPU *vg)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vg->scanout[i].copying.part.width)
            return true;
    }
    return false;
}

void vram_copying_cancel(VramGPU *vg, uint32_t scanout_id)
{
    VramCopying *c = &vg->scanout[scanout_id].copying;

    if (c->surface)
        qemu_free_displaysurface(c->surface);
    vrl_charge_free(c->charge);
    *c = (VramCopying){0};
}

/* The next rows. False when they cannot be read any more. */
static bool copy_band(VramGPU *vg, uint32_t scanout_id, DisplaySurface *target)
{
    VramScanout *s = &vg->scanout[scanout_id];
    VramCopying *c = &s->copying;
    const VramDamage band = {c->part.x, c->part.y + c->rows, c->part.width,
                             MIN(BAND, c->part.height - c->rows)};

    if (c->converted) {
        if (!target || !vram_frame_copy(vg, s->id, &s->fb, s->format, target->image, &band, INT64_MAX))
            return false;
        vrl_table_count_copied(vg->table, (uint64_t)band.width * band.height * 4);
    } else {
        vrl_table_flush(vg->table, s->id, &s->fb, band.x, band.y, band.width, band.height);
    }
    c->rows += band.height;
    return true;
}

/* All of the part is copied: displays are told, and what was damaged meanwhile comes next. */
static void finish_part(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    VramCopying was = s->copying;

    s->copying = (VramCopying){0};
    if (!was.surface) {
        s->copying = (VramCopying){.converted = was.converted, .part = was.next};
        vram_surface_damaged(vg, scanout_id, &was.part);
        return;
    }
    vram_show_filled(vg, scanout_id, was.surface, was.charge, was.converted);
    if (s->flush_pending) {
        const VramDamage all = {0, 0, s->fb.width, s->fb.height};

        s->flush_pending = false;
        vram_present(vg, scanout_id, &all);
    }
}

/* False when the slice is over. */
static bool copy_scanout(VramGPU *vg, uint32_t scanout_id)
{
    VramCopying *c = &vg->scanout[scanout_id].copying;

    while (c->part.width) {
        DisplaySurface *target = c->surface ? c->surface : qemu_console_surface(console(vg, scanout_id));

        if (!copy_band(vg, scanout_id, target)) {
            vram_copying_cancel(vg, scanout_id);
            break;
        }
        if (c->rows >= c->part.height)
            finish_part(vg, scanout_id);
        if (vram_slice_over(vg->slice_end))
            return !c->part.width;
    }
    return true;
}

static void copy_or_schedule(VramGPU *vg, uint32_t scanout_id)
{
    if (!copy_scanout(vg, scanout_id))
        vram_later(vg->copying_later);
}

void vram_copying_flip(VramGPU *vg, uint32_t scanout_id, DisplaySurface *surface, struct vrl_charge *charge)
{
    VramScanout *s = &vg->scanout[scanout_id];

    vram_copying_cancel(vg, scanout_id);
    s->copying = (VramCopying){
        .surface = surface,
        .charge = charge,
        .converted = charge != NULL,
        .part = {0, 0, s->fb.width, s->fb.height},
    };
    copy_or_schedule(vg, scanout_id);
}

void vram_copying_damage(VramGPU *vg, uint32_t scanout_id, const VramDamage *part)
{
    VramScanout *s = &vg->scanout[scanout_id];
    VramCopying *c = &s->copying;

    if (c->part.width) {
        c->next = vram_damage_union(c->next, *part);
        return;
    }
    *c = (VramCopying){.converted = s->converted, .part = *part};
    copy_or_schedule(vg, scanout_id);
}

void vram_copying_go_on(void *opaque)
{
    VramGPU *vg = opaque;

    vram_deferred_run(vg);
    vg->slice_end = vram_slice_begin();
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        const uint32_t scanout_id = (vg->copying_first + i) % VIRTIO_GPU_MAX_SCANOUTS;

        if (!copy_scanout(vg, scanout_id)) {
            vg->copying_first = scanout_id + 1;
            vram_later(vg->copying_later);
            return;
        }
    }
    vram_queue_go_on(vg);
}
