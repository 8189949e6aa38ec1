/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Showing: what a console's displays are handed, and when they let go of it.
 *
 * A console with a GL display gets the blob's dma-buf; any other, and any blob that cannot be shared, gets a
 * surface over the CPU's view, or a converted copy where QEMU's displays do not take the format. Flipping
 * between known buffers allocates nothing.
 */
#include "hw/qemu/console.h"
#include "hw/qemu/copying.h"
#include "hw/qemu/dbus-displays.h"
#include "hw/qemu/deferred.h"
#include "hw/qemu/stalled.h"
#include "hw/qemu/surface.h"
#include "hw/qemu/trace.h"

#include "ui/surface.h"

static QemuConsole *console(VramGPU *vg, uint32_t scanout_id)
{
    return vg->parent_obj.parent_obj.scanout[scanout_id].con;
}

void vram_let_go(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = console(vg, scanout_id);
    const bool dmabuf = s->showing == VRAM_SHOWING_DMABUF || s->still_dmabuf;
    const bool surface = s->showing != VRAM_SHOWING_NOTHING && !dmabuf;

    if (s->current)
        vram_buffer_settle(con, s->current->dmabuf);
    s->showing = VRAM_SHOWING_NOTHING;
    s->shown = 0;
    s->current = NULL;
    s->unsent = (VramDamage){0};
    if (dmabuf || surface)
        vram_blank(vg, scanout_id, dmabuf);
    vram_still_drop(s);
    if (surface) /* under a dma-buf the console keeps its surface */
        g_clear_pointer(&s->surface_charge, vrl_charge_free);
    g_clear_pointer(&s->flip_charge, vrl_charge_free);
}

/* Gives the console a surface of the frame's size, which displays of this process draw into. False over the
 * limit on address space. */
static bool resize_console(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    struct vrl_charge *charge;

    /* A surface that lies over another blob's memory must go, too. */
    if (s->showing != VRAM_SHOWING_SURFACE && s->fb.width == s->console_width &&
        s->fb.height == s->console_height)
        return true;
    charge = vrl_table_charge(vg->table, VRL_RESOURCE_ADDRESS_SPACE, (uint64_t)s->fb.width * s->fb.height * 4,
                              "a console's surface");
    if (!charge)
        return false;
    qemu_console_resize(console(vg, scanout_id), (int)s->fb.width, (int)s->fb.height);
    vrl_charge_free(s->surface_charge);
    s->surface_charge = charge;
    s->console_width = s->fb.width;
    s->console_height = s->fb.height;
    return true;
}

/* --- how much displays in other processes are sent ahead */

static bool unread_is_full(VramGPU *vg, uint32_t scanout_id)
{
    return vg->scanout[scanout_id].flips >= VRAM_MAX_FLIPS ||
           vram_console_outstanding(console(vg, scanout_id)) >= VRAM_MAX_OUTSTANDING;
}

static bool frame_is_held(VramGPU *vg, const VramScanout *s)
{
    return (s->showing == VRAM_SHOWING_DMABUF || s->still_dmabuf) && VIRTIO_GPU_BASE(vg)->renderer_blocked &&
           !vg->unpaced;
}

void vram_flips_read(VramGPU *vg)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vg->scanout[i].flips && !vram_console_outstanding(console(vg, i)))
            vg->scanout[i].flips = 0;
    }
}

/* Descriptors for as many flips as may be under way. */
static bool pay_for_flips(VramGPU *vg, VramScanout *s, unsigned clients)
{
    if (s->flip_charge && s->flip_clients == clients)
        return true;
    vrl_charge_free(s->flip_charge);
    s->flip_charge = vrl_table_charge(vg->table, VRL_RESOURCE_DESCRIPTORS, (uint64_t)clients * VRAM_MAX_FLIPS,
                                      "flips of the screen");
    s->flip_clients = clients;
    return s->flip_charge != NULL;
}

/* Before a flip of which displays in other processes are sent a descriptor each. False when what they have
 * been sent is to be read first. */
static bool may_send_flip(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = console(vg, scanout_id);
    unsigned clients;

    if (vram_console_taker(con) != VRAM_TAKER_PASSES_ON)
        return true;
    clients = vram_console_clients(con);
    if (!clients) {
        s->flips = 0;
        return true;
    }
    if (unread_is_full(vg, scanout_id) || !pay_for_flips(vg, s, clients)) {
        vram_stalled_watch(vg); /* looks again */
        return false;
    }
    s->flips++;
    return true;
}

/* Nothing tells that a flip has been read, unless the guest flushes: once in a while displays are asked, by
 * an update of all of it. */
static void ask_after_flip(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = console(vg, scanout_id);
    const VramDamage all = {0, 0, s->fb.width, s->fb.height};

    if (s->flips < VRAM_MAX_FLIPS || vram_console_outstanding(con))
        return;
    vram_stalled_watch(vg); /* QEMU ends an update after a second, read or not */
    if (s->showing == VRAM_SHOWING_SURFACE)
        /* its display sends one with its next refresh */
        dpy_gfx_update(con, 0, 0, (int)all.width, (int)all.height);
    else
        vram_console_update(vg, con, &all);
}

/* Whether a display of this process may be given the blob's dma-buf. A loss of VRAM may come on a vCPU's
 * thread, which cannot make such a display let go: then the display's driver must do so by itself. */
static bool may_import(VramGPU *vg, uint32_t id)
{
    const char *why = NULL;

    if (vram_gl_is_software())
        why = "the display renders in software, through a mapping that an imported buffer does not have";
    else if (vrl_table_in_vfio(vg->table, id) && !vram_gl_lets_go())
        why = "the display is in this process, and its GPU's driver keeps VRAM that the guest takes away";
    if (why)
        vrl_table_unshare(vg->table, id, why);
    return !why;
}

static bool show_dmabuf(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = console(vg, scanout_id);
    VramTaker taker = vram_console_taker(con);
    VramKnownBuffer *known;
    bool imported;

    if (taker == VRAM_TAKER_NONE || vg->show_mapped || vrl_table_plan(vg->table, s->id) != VRL_PLAN_SHARED)
        return false;
    if (taker == VRAM_TAKER_IMPORTS && !may_import(vg, s->id))
        return false;
    /* A client of D-Bus may not know more than one plane, and nobody would hear of it (ui/dbus-listener.c).
     */
    if (taker == VRAM_TAKER_PASSES_ON && s->fb.layout.nr_planes > 1)
        return false;
    known = vram_buffer_of(vg, scanout_id);
    if (!known)
        return false;
    s->flip_pending = frame_is_held(vg, s) || !may_send_flip(vg, scanout_id);
    if (s->flip_pending)
        return true;
    if (!resize_console(vg, scanout_id))
        return false;
    if (s->current)
        vram_buffer_settle(con, s->current->dmabuf);
    s->showing = VRAM_SHOWING_DMABUF;
    vrl_table_tell_shown(vg->table, s->id, "");
    s->shown = s->id;
    s->current = known;
    imported = qemu_dmabuf_get_texture(known->dmabuf);
    vram_trace(vg, show, "scanout %u blob %u %ux%u as a dma-buf", scanout_id, s->id, s->fb.width,
               s->fb.height);
    dpy_gl_scanout_dmabuf(con, known->dmabuf);
    vram_still_drop(s);
    ask_after_flip(vg, scanout_id);
    if (taker != VRAM_TAKER_IMPORTS || imported)
        return true;
    imported = qemu_dmabuf_get_texture(known->dmabuf);
    if (imported)
        vrl_table_imported_here(vg->table, s->id);
    vrl_table_count(vg->table, imported ? VRL_EVENT_IMPORT : VRL_EVENT_IMPORT_FAILED);
    if (imported || !vram_checks_imports(vg))
        return true;
    vrl_table_unshare(vg->table, s->id, "the display's GPU or its EGL cannot import it");
    return false;
}

/* Around what makes displays read. Where none does, the guard's system calls are spared. */
static bool begin_telling(QemuConsole *con)
{
    bool is_read = vram_readers_prompt(con);

    if (is_read)
        vram_reading_begin();
    return is_read;
}

static void end_telling(bool is_read)
{
    if (is_read)
        vram_reading_end();
    else
        vram_reading_check();
}

/* Hands displays the surface. */
static void switch_surface(VramGPU *vg, uint32_t scanout_id, DisplaySurface *surface,
                           struct vrl_charge *charge, bool converted)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = console(vg, scanout_id);
    bool is_read = begin_telling(con);

    if (s->showing == VRAM_SHOWING_DMABUF)
        vram_let_go(vg, scanout_id);
    else if (vg->gl && s->showing == VRAM_SHOWING_NOTHING)
        dpy_gl_scanout_disable(con); /* a texture of the parent's, which it would copy from */
    dpy_gfx_replace_surface(con, surface);
    vrl_charge_free(s->surface_charge);
    s->surface_charge = charge;
    s->showing = VRAM_SHOWING_SURFACE;
    s->shown = s->id;
    s->current = NULL;
    s->converted = converted;
    s->surface_frame = (VramFrame){s->fb, s->format};
    s->unsent = (VramDamage){0};
    vram_still_drop(s);
    vram_trace(vg, show, "scanout %u blob %u %ux%u as a surface", scanout_id, s->id, s->fb.width,
               s->fb.height);
    end_telling(is_read);
    ask_after_flip(vg, scanout_id);
}

void vram_show_filled(VramGPU *vg, uint32_t scanout_id, DisplaySurface *surface, struct vrl_charge *charge,
                      bool converted)
{
    switch_surface(vg, scanout_id, surface, charge, converted);
}

static void say_how(VramGPU *vg, uint32_t id, bool converted)
{
    vrl_table_tell_shown(vg->table, id,
                         converted ? "converted to XRGB8888, as QEMU's displays do not take the format"
                         : vg->show_mapped ? "mapped, as show-mapped is on: a display cannot use the dma-buf"
                                           : "");
}

/* A surface that shows what is bound: over the CPU's view, or a copy where the displays cannot take the
 * format. False when the CPU cannot see the pixels. */
static bool show_surface(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    void *pixels = vrl_layout_is_linear(&s->fb.layout) ? vrl_table_view(vg->table, s->id, &s->fb) : NULL;
    const bool converts = !s->format || !vram_console_takes(console(vg, scanout_id), s->format);
    struct vrl_charge *charge = NULL;
    DisplaySurface *surface;

    if (!pixels)
        return false;
    /* Of which QEMU's D-Bus display makes a texture, and sends its descriptor. */
    s->flip_pending = !may_send_flip(vg, scanout_id);
    if (s->flip_pending)
        return true;
    if (converts)
        surface = vram_surface_new(vg, s->fb.width, s->fb.height, "a surface for displays", &charge);
    else
        surface = qemu_create_displaysurface_from((int)s->fb.width, (int)s->fb.height, s->format,
                                                  (int)s->fb.stride, pixels);
    if (!surface)
        return false;
    say_how(vg, s->id, converts);
    if (converts || vrl_table_view_is_copy(vg->table, s->id, &s->fb))
        vram_copying_flip(vg, scanout_id, surface, charge);
    else
        switch_surface(vg, scanout_id, surface, NULL, false);
    return true;
}

enum vrl_status vram_show(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];

    if (s->flip_pending)
        vrl_table_count(vg->table, VRL_EVENT_SUPERSEDED);
    s->flip_pending = false;
    s->flush_pending = false;
    vram_copying_cancel(vg, scanout_id);
    if (show_dmabuf(vg, scanout_id) || show_surface(vg, scanout_id))
        return VRL_OK;
    vram_let_go(vg, scanout_id);
    if (vrl_layout_is_linear(&s->fb.layout))
        return VRL_ERR_OUT_OF_MEMORY;
    vram_log_guest(vg,
                   "blob %u: the modifier 0x%" PRIx64 " is only for displays that take dma-bufs, and for "
                   "blobs that can be one",
                   s->id, s->fb.layout.modifier);
    return VRL_ERR_INVALID_PARAMETER;
}

void vram_console_update(VramGPU *vg, QemuConsole *con, const VramDamage *damage)
{
    int blocked_before = VIRTIO_GPU_BASE(vg)->renderer_blocked;

    if (vg->unpaced && vram_console_outstanding(con) >= VRAM_MAX_OUTSTANDING)
        return;
    dpy_gl_update(con, damage->x, damage->y, damage->width, damage->height);
    vram_frame_taken(vg, blocked_before);
}

static void tell_surface(VramGPU *vg, uint32_t scanout_id, const VramDamage *d)
{
    QemuConsole *con = console(vg, scanout_id);
    bool is_read = begin_telling(con);

    vram_surface_update(vg, con, d);
    end_telling(is_read);
    vram_readers_damage(vg, con);
}

void vram_surface_damaged(VramGPU *vg, uint32_t scanout_id, const VramDamage *damage)
{
    VramScanout *s = &vg->scanout[scanout_id];

    s->unsent = vram_damage_union(s->unsent, *damage);
    if (!vram_send_unsent(vg)) {
        vram_readers_hold(vg);
        vram_stalled_watch(vg);
    }
}

bool vram_send_unsent(VramGPU *vg)
{
    bool all = true;

    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        VramScanout *s = &vg->scanout[i];
        const VramDamage damage = s->unsent;

        if (!damage.width)
            continue;
        if (vram_dbus_behind(vg, i)) {
            all = false;
            continue;
        }
        s->unsent = (VramDamage){0};
        tell_surface(vg, i, &damage);
    }
    return all;
}

static void present_surface(VramGPU *vg, uint32_t scanout_id, const VramDamage *d)
{
    const VramScanout *s = &vg->scanout[scanout_id];

    if (s->converted || vrl_table_view_is_copy(vg->table, s->shown, &s->fb))
        vram_copying_damage(vg, scanout_id, d);
    else
        vram_surface_damaged(vg, scanout_id, d);
}

/* Hands damage to whoever shows the scanout. */
void vram_present(VramGPU *vg, uint32_t scanout_id, const VramDamage *d)
{
    const VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = console(vg, scanout_id);

    if (s->showing == VRAM_SHOWING_DMABUF) {
        vram_console_update(vg, con, d);
    } else if (s->showing == VRAM_SHOWING_SURFACE) {
        present_surface(vg, scanout_id, d);
    }
}
