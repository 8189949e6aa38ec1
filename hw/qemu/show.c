/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Showing: what a console's displays are handed, and when they let go of it.
 *
 * A console with a GL display gets the blob's dma-buf; any other, and any blob that cannot be shared, gets a
 * surface over the CPU's view, or a converted copy where QEMU's displays do not take the format. Flipping
 * between known buffers allocates nothing.
 */
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
    VramShowing was = s->showing;

    if (s->current)
        vram_buffer_settle(con, s->current);
    s->showing = VRAM_SHOWING_NOTHING;
    s->shown = 0;
    s->current = NULL;
    if (was == VRAM_SHOWING_DMABUF || s->still_dmabuf)
        dpy_gl_scanout_disable(con);
    else if (was != VRAM_SHOWING_NOTHING)
        dpy_gfx_replace_surface(con, NULL);
    vram_still_drop(s);
}

static void resize_console(VramScanout *s, QemuConsole *con)
{
    if (s->fb.width != s->console_width || s->fb.height != s->console_height)
        qemu_console_resize(con, (int)s->fb.width, (int)s->fb.height);
    s->console_width = s->fb.width;
    s->console_height = s->fb.height;
}

/* Whether consumers still hold a frame, and are waited for. */
static bool must_wait(VramGPU *vg, QemuConsole *con)
{
    if (!VIRTIO_GPU_BASE(vg)->renderer_blocked)
        return false;
    return !vg->unpaced || vram_console_outstanding(con) >= VRAM_MAX_OUTSTANDING;
}

static bool show_dmabuf(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = console(vg, scanout_id);
    VramTaker taker = vram_console_taker(con);
    VramKnownBuffer *known;
    bool imported;

    if (taker == VRAM_TAKER_NONE || vg->show_mapped)
        return false;
    if (taker == VRAM_TAKER_IMPORTS && vram_gl_is_software()) {
        vrl_table_unshare(vg->table, s->id,
                          "the display renders in software, through a mapping that an imported "
                          "buffer does not have");
        return false;
    }
    /* A client of D-Bus may not know more than one plane, and nobody would hear of it (ui/dbus-listener.c).
     */
    if (taker == VRAM_TAKER_PASSES_ON && s->fb.layout.nr_planes > 1)
        return false;
    known = vram_buffer_of(vg, scanout_id);
    if (!known)
        return false;
    s->flip_pending = (s->showing == VRAM_SHOWING_DMABUF || s->still_dmabuf) && must_wait(vg, con);
    if (s->flip_pending)
        return true;
    if (s->showing == VRAM_SHOWING_SURFACE) /* which lies over another blob's memory, and the console keeps */
        dpy_gfx_replace_surface(con, qemu_create_displaysurface((int)s->fb.width, (int)s->fb.height));
    if (s->current)
        vram_buffer_settle(con, s->current);
    resize_console(s, con);
    s->showing = VRAM_SHOWING_DMABUF;
    vrl_table_tell_shown(vg->table, s->id, "");
    s->shown = s->id;
    s->current = known;
    imported = qemu_dmabuf_get_texture(known->dmabuf);
    vram_trace(vg, show, "scanout %u blob %u %ux%u as a dma-buf", scanout_id, s->id, s->fb.width,
               s->fb.height);
    dpy_gl_scanout_dmabuf(con, known->dmabuf);
    vram_still_drop(s);
    if (taker != VRAM_TAKER_IMPORTS || imported)
        return true;
    imported = qemu_dmabuf_get_texture(known->dmabuf);
    vrl_table_count(vg->table, imported ? VRL_EVENT_IMPORT : VRL_EVENT_IMPORT_FAILED);
    if (imported || !vram_checks_imports(vg))
        return true;
    vrl_table_unshare(vg->table, s->id, "the display's GPU or its EGL cannot import it");
    return false;
}

/* Brings a part of the console's XRGB8888 copy up to date. */
static bool convert(VramGPU *vg, uint32_t scanout_id, DisplaySurface *surface, const VramDamage *part)
{
    const VramScanout *s = &vg->scanout[scanout_id];

    if (!vram_frame_copy(vg, s->id, &s->fb, s->format, surface->image, part, INT64_MAX))
        return false;
    vrl_table_count_copied(vg->table, (uint64_t)part->width * part->height * 4);
    return true;
}

/* A surface that shows what is bound: over the CPU's view, or a copy where the displays cannot take the
 * format. NULL when the CPU cannot see the pixels. */
static DisplaySurface *make_surface(VramGPU *vg, uint32_t scanout_id, bool *converted)
{
    const VramScanout *s = &vg->scanout[scanout_id];
    const VramDamage all = {0, 0, s->fb.width, s->fb.height};
    void *pixels = vrl_table_view(vg->table, s->id, &s->fb);
    DisplaySurface *surface;

    if (!pixels)
        return NULL;
    vrl_table_flush(vg->table, s->id, &s->fb, 0, 0, s->fb.width, s->fb.height);
    *converted = !s->format || !vram_console_takes(console(vg, scanout_id), s->format);
    vrl_table_tell_shown(vg->table, s->id,
                         *converted ? "converted to XRGB8888, as QEMU's displays do not take the format"
                         : vg->show_mapped ? "mapped, as show-mapped is on: a display cannot use the dma-buf"
                                           : "");
    if (!*converted)
        return qemu_create_displaysurface_from((int)s->fb.width, (int)s->fb.height, s->format,
                                               (int)s->fb.stride, pixels);
    surface = qemu_create_displaysurface((int)s->fb.width, (int)s->fb.height);
    if (convert(vg, scanout_id, surface, &all))
        return surface;
    qemu_free_displaysurface(surface);
    return NULL;
}

static bool replace_surface(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    bool converted = false;
    DisplaySurface *surface =
        vrl_layout_is_linear(&s->fb.layout) ? make_surface(vg, scanout_id, &converted) : NULL;

    if (!surface)
        return false;
    if (s->showing == VRAM_SHOWING_DMABUF)
        vram_let_go(vg, scanout_id);
    else if (vg->gl && s->showing == VRAM_SHOWING_NOTHING)
        dpy_gl_scanout_disable(
            console(vg, scanout_id)); /* a texture of the parent's, which it would copy from */
    dpy_gfx_replace_surface(console(vg, scanout_id), surface);
    s->showing = VRAM_SHOWING_SURFACE;
    s->shown = s->id;
    s->current = NULL;
    s->converted = converted;
    vram_still_drop(s);
    vram_trace(vg, show, "scanout %u blob %u %ux%u as a surface", scanout_id, s->id, s->fb.width,
               s->fb.height);
    return true;
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

static bool show_surface(VramGPU *vg, uint32_t scanout_id)
{
    bool is_read = begin_telling(console(vg, scanout_id));
    bool shown = replace_surface(vg, scanout_id);

    end_telling(is_read);
    return shown;
}

enum vrl_status vram_show(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];

    if (s->flip_pending)
        vrl_table_count(vg->table, VRL_EVENT_SUPERSEDED);
    s->flip_pending = false;
    s->flush_pending = false;
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

static void present_surface(VramGPU *vg, uint32_t scanout_id, const VramDamage *d)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = console(vg, scanout_id);
    bool is_read = begin_telling(con);

    vrl_table_flush(vg->table, s->shown, &s->fb, d->x, d->y, d->width, d->height);
    if (!s->converted || convert(vg, scanout_id, qemu_console_surface(con), d))
        dpy_gfx_update(con, (int)d->x, (int)d->y, (int)d->width, (int)d->height);
    end_telling(is_read);
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
        vram_readers_damage(vg, con);
    }
}
