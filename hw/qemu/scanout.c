/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Scanouts: a blob's pixels on QEMU's consoles.
 *
 * A console with a GL display gets the blob's dma-buf; any other, and any blob that cannot be shared, gets a
 * surface over the CPU's view. Flipping between known buffers allocates nothing.
 */
#include "hw/qemu/trace.h"

#include "hw/virtio/virtio-gpu-pixman.h"
#include "ui/surface.h"

/* QEMU's virtio-gpu refuses scanouts below 16 pixels; above 16,384 its damage rectangles and D-Bus numbers
 * end. */
#define MIN_DIMENSION 16u
#define MAX_DIMENSION 16384u
#define PIXEL_ALIGNMENT 4u
/* Consoles read whole rows, the last one included, whose tail may lie behind the blob: the views have this
 * much readable memory there (hw/view/cpu_view.hpp, view_slack). Four times the widest row. */
#define MAX_STRIDE (MAX_DIMENSION * 4u * 4u)

/* Damage in a scanout's own pixels. */
typedef struct Damage {
    uint32_t x, y, width, height;
} Damage;

static QemuConsole *console(VramGPU *vg, uint32_t scanout_id)
{
    return vg->parent_obj.parent_obj.scanout[scanout_id].con;
}

/* --- showing and letting go */

static void let_go(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = console(vg, scanout_id);
    VramShowing was = s->showing;

    if (s->current)
        vram_buffer_settle(con, s->current);
    s->showing = VRAM_SHOWING_NOTHING;
    s->shown = 0;
    s->current = NULL;
    if (was == VRAM_SHOWING_DMABUF)
        dpy_gl_scanout_disable(con);
    else if (was == VRAM_SHOWING_SURFACE)
        dpy_gfx_replace_surface(con, NULL);
}

/* The parent turns off the scanouts of a 2D resource that goes, those that it believes to show it. */
static void parent_shows_no_more(VramGPU *vg, uint32_t scanout_id)
{
    struct virtio_gpu_simple_resource *res;

    QTAILQ_FOREACH(res, &vg->parent_obj.reslist, next)
    {
        res->scanout_bitmask &= ~(1u << scanout_id);
    }
}

/* Keeps the parent's idea of the scanout: it is what GET_DISPLAY_INFO, cursors and reset look at. */
static void tell_parent(VramGPU *vg, uint32_t scanout_id, uint32_t id, uint32_t width, uint32_t height)
{
    struct virtio_gpu_scanout *scanout = &vg->parent_obj.parent_obj.scanout[scanout_id];

    parent_shows_no_more(vg, scanout_id);
    scanout->resource_id = id;
    scanout->x = 0;
    scanout->y = 0;
    scanout->width = width;
    scanout->height = height;
    scanout->ds = NULL;
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

    if (taker == VRAM_TAKER_NONE)
        return false;
    if (taker == VRAM_TAKER_IMPORTS && vram_gl_is_software()) {
        vrl_table_unshare(vg->table, s->id,
                          "the display renders in software, through a mapping that an imported "
                          "buffer does not have");
        return false;
    }
    known = vram_buffer_of(vg, scanout_id);
    if (!known)
        return false;
    s->flip_pending = s->showing == VRAM_SHOWING_DMABUF && must_wait(vg, con);
    if (s->flip_pending)
        return true;
    if (s->current)
        vram_buffer_settle(con, s->current);
    resize_console(s, con);
    s->showing = VRAM_SHOWING_DMABUF;
    s->shown = s->id;
    s->current = known;
    imported = qemu_dmabuf_get_texture(known->dmabuf);
    vram_trace(vg, show, "scanout %u blob %u %ux%u as a dma-buf", scanout_id, s->id, s->fb.width,
               s->fb.height);
    dpy_gl_scanout_dmabuf(con, known->dmabuf);
    if (taker != VRAM_TAKER_IMPORTS || imported)
        return true;
    imported = qemu_dmabuf_get_texture(known->dmabuf);
    vrl_table_count(vg->table, imported ? VRL_EVENT_IMPORT : VRL_EVENT_IMPORT_FAILED);
    if (imported || !vram_checks_imports(vg))
        return true;
    vrl_table_unshare(vg->table, s->id, "the display's GPU or its EGL cannot import it");
    return false;
}

static bool show_surface(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    void *pixels = vrl_table_view(vg->table, s->id, &s->fb);

    if (!pixels)
        return false;
    if (s->showing == VRAM_SHOWING_DMABUF)
        let_go(vg, scanout_id);
    else if (vg->gl && s->showing == VRAM_SHOWING_NOTHING)
        dpy_gl_scanout_disable(
            console(vg, scanout_id)); /* a texture of the parent's, which it would copy from */
    vrl_table_flush(vg->table, s->id, &s->fb, 0, 0, s->fb.width, s->fb.height);
    dpy_gfx_replace_surface(console(vg, scanout_id),
                            qemu_create_displaysurface_from((int)s->fb.width, (int)s->fb.height, s->format,
                                                            (int)s->fb.stride, pixels));
    s->showing = VRAM_SHOWING_SURFACE;
    s->shown = s->id;
    vram_trace(vg, show, "scanout %u blob %u %ux%u as a surface", scanout_id, s->id, s->fb.width,
               s->fb.height);
    return true;
}

static enum vrl_status show(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];

    if (s->flip_pending)
        vrl_table_count(vg->table, VRL_EVENT_SUPERSEDED);
    s->flip_pending = false;
    s->flush_pending = false;
    if (show_dmabuf(vg, scanout_id) || show_surface(vg, scanout_id))
        return VRL_OK;
    let_go(vg, scanout_id);
    return VRL_ERR_OUT_OF_MEMORY;
}

/* --- the guest's side */

static void forget_binding(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];

    for (unsigned i = 0; i < VRAM_KNOWN_BUFFERS; i++)
        vram_buffer_drop(console(vg, scanout_id), &s->known[i]);
    *s = (VramScanout){.console_width = s->console_width, .console_height = s->console_height};
}

void vram_scanout_disable(VramGPU *vg, uint32_t scanout_id)
{
    if (!vg->scanout[scanout_id].id)
        return;
    let_go(vg, scanout_id);
    forget_binding(vg, scanout_id);
    tell_parent(vg, scanout_id, 0, 0, 0);
}

/* What QEMU's surfaces and pixman under them can carry; they assert where we refuse. */
static bool consoles_can_show(VramGPU *vg, const struct virtio_gpu_set_scanout_blob *ss)
{
    if (!virtio_gpu_get_pixman_format(ss->format)) {
        vram_log_guest(vg, "SET_SCANOUT_BLOB: format %u is none of the eight that virtio-gpu defines for 2D",
                       ss->format);
        return false;
    }
    if (ss->r.width < MIN_DIMENSION || ss->r.height < MIN_DIMENSION || ss->r.width > MAX_DIMENSION ||
        ss->r.height > MAX_DIMENSION) {
        vram_log_guest(vg, "SET_SCANOUT_BLOB: a rectangle of %ux%u, the limits are %ux%u and %ux%u",
                       ss->r.width, ss->r.height, MIN_DIMENSION, MIN_DIMENSION, MAX_DIMENSION, MAX_DIMENSION);
        return false;
    }
    if (ss->strides[0] % PIXEL_ALIGNMENT || ss->offsets[0] % PIXEL_ALIGNMENT || ss->strides[0] > MAX_STRIDE) {
        vram_log_guest(
            vg, "SET_SCANOUT_BLOB: stride %u, offset %u: both must be multiples of %u, the stride at most %u",
            ss->strides[0], ss->offsets[0], PIXEL_ALIGNMENT, MAX_STRIDE);
        return false;
    }
    return true;
}

enum vrl_status vram_scanout_set(VramGPU *vg, uint32_t scanout_id,
                                 const struct virtio_gpu_set_scanout_blob *ss)
{
    VramScanout *s = &vg->scanout[scanout_id];
    pixman_format_code_t format = virtio_gpu_get_pixman_format(ss->format);
    struct vrl_framebuffer fb;
    enum vrl_status status;

    if (!consoles_can_show(vg, ss))
        return VRL_ERR_INVALID_PARAMETER;
    status = vrl_framebuffer_init(vg->table, ss->resource_id, ss->width, ss->height,
                                  PIXMAN_FORMAT_BPP(format) / 8, ss->strides[0], ss->offsets[0], ss->r.x,
                                  ss->r.y, ss->r.width, ss->r.height, &fb);
    if (status != VRL_OK)
        return status;
    if (!vrl_table_is_backed(vg->table, ss->resource_id)) {
        vrl_table_log(vg->table, VRL_LOG_GUEST, "SET_SCANOUT_BLOB: the blob has no backing");
        return VRL_ERR_UNSPEC;
    }
    s->id = ss->resource_id;
    s->fb = fb;
    s->format = format;
    s->guest_format = ss->format;
    s->x = ss->r.x;
    s->y = ss->r.y;
    vg->parent_obj.parent_obj.enable = 1;
    tell_parent(vg, scanout_id, s->id, fb.width, fb.height);
    vrl_table_count(vg->table, VRL_EVENT_FLIP);
    return show(vg, scanout_id);
}

uint32_t vram_scanout_mask(void *opaque, uint32_t id)
{
    const VramGPU *vg = opaque;
    uint32_t mask = 0;

    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
        mask |= vg->scanout[i].id == id ? 1u << i : 0;
    return mask;
}

void vram_scanout_hide(VramGPU *vg, bool hide)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        const VramScanout *s = &vg->scanout[i];

        if (s->id)
            tell_parent(vg, i, hide ? 0 : s->id, s->fb.width, s->fb.height);
    }
}

void vram_scanout_arrive(VramGPU *vg, uint32_t scanout_id, const VramScanout *arrived)
{
    VramScanout *s = &vg->scanout[scanout_id];
    const struct virtio_gpu_set_scanout_blob words = {
        .scanout_id = scanout_id,
        .resource_id = arrived->id,
        .format = arrived->guest_format,
        .r = {.width = arrived->fb.width, .height = arrived->fb.height},
        .strides = {arrived->fb.stride},
        .offsets = {(uint32_t)arrived->fb.start % PIXEL_ALIGNMENT},
    };

    if (scanout_id >= vg->parent_obj.parent_obj.conf.max_outputs || !consoles_can_show(vg, &words))
        return;
    s->id = arrived->id;
    s->guest_format = arrived->guest_format;
    s->format = virtio_gpu_get_pixman_format(arrived->guest_format);
    s->x = arrived->x;
    s->y = arrived->y;
    s->fb = arrived->fb;
    s->fb.bytes_pp = PIXMAN_FORMAT_BPP(s->format) / 8;
    vg->parent_obj.parent_obj.enable = 1;
    tell_parent(vg, scanout_id, s->id, s->fb.width, s->fb.height);
    if (vrl_table_is_backed(vg->table, s->id) && show(vg, scanout_id) == VRL_OK)
        vram_scanout_flush(vg, s->id, NULL);
}

void vram_scanout_release(void *opaque, uint32_t id, bool revoked)
{
    VramGPU *vg = opaque;

    vram_trace(vg, release, "blob %u: %s", id,
               revoked ? "its memory went away" : "the guest or a display lets go");
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        VramScanout *s = &vg->scanout[i];

        if (s->shown == id)
            let_go(vg, i);
        if (s->id == id)
            s->flip_pending = s->flush_pending = false;
        for (unsigned k = 0; k < VRAM_KNOWN_BUFFERS; k++) {
            if (s->known[k].id == id)
                vram_buffer_drop(console(vg, i), &s->known[k]);
        }
    }
}

void vram_scanout_restore(VramGPU *vg, uint32_t id)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vg->scanout[i].id == id && show(vg, i) == VRL_OK)
            vram_scanout_flush(vg, id, NULL);
    }
}

void vram_scanout_forget(VramGPU *vg, uint32_t id)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vg->scanout[i].id == id)
            vram_scanout_disable(vg, i);
    }
}

/* The part of the guest's damage that this scanout shows; all of it without @rect. */
static bool damage_of(const VramScanout *s, const struct virtio_gpu_rect *rect, Damage *damage)
{
    uint64_t left, top, right, bottom;

    if (!rect) {
        *damage = (Damage){0, 0, s->fb.width, s->fb.height};
        return true;
    }
    left = MAX(rect->x, s->x);
    top = MAX(rect->y, s->y);
    right = MIN((uint64_t)rect->x + rect->width, (uint64_t)s->x + s->fb.width);
    bottom = MIN((uint64_t)rect->y + rect->height, (uint64_t)s->y + s->fb.height);
    if (left >= right || top >= bottom)
        return false;
    *damage = (Damage){(uint32_t)(left - s->x), (uint32_t)(top - s->y), (uint32_t)(right - left),
                       (uint32_t)(bottom - top)};
    return true;
}

/* Hands damage to whoever shows the scanout. */
static void present(VramGPU *vg, uint32_t scanout_id, const Damage *d)
{
    const VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = console(vg, scanout_id);
    int blocked_before = VIRTIO_GPU_BASE(vg)->renderer_blocked;

    if (s->showing == VRAM_SHOWING_DMABUF) {
        if (vg->unpaced && vram_console_outstanding(con) >= VRAM_MAX_OUTSTANDING)
            return;
        dpy_gl_update(con, d->x, d->y, d->width, d->height);
        vram_frame_taken(vg, blocked_before);
    } else if (s->showing == VRAM_SHOWING_SURFACE) {
        vrl_table_flush(vg->table, s->shown, &s->fb, d->x, d->y, d->width, d->height);
        dpy_gfx_update(con, (int)d->x, (int)d->y, (int)d->width, (int)d->height);
        vram_readers_damage(vg, con);
    }
}

void vram_scanout_flush(VramGPU *vg, uint32_t id, const struct virtio_gpu_rect *rect)
{
    vrl_table_count(vg->table, VRL_EVENT_FLUSH);
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        VramScanout *s = &vg->scanout[i];
        Damage d;

        if (s->id != id || !damage_of(s, rect, &d))
            continue;
        if (s->flip_pending)
            s->flush_pending = true;
        else if (s->shown == id)
            present(vg, i, &d);
    }
}

bool vram_scanout_flip_pending(const VramGPU *vg)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vg->scanout[i].flip_pending)
            return true;
    }
    return false;
}

void vram_scanout_flip(VramGPU *vg)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        VramScanout *s = &vg->scanout[i];
        const Damage all = {0, 0, s->fb.width, s->fb.height};
        bool flush = s->flush_pending;

        if (!s->flip_pending)
            continue;
        s->flip_pending = false;
        if (show(vg, i) == VRL_OK && flush)
            present(vg, i, &all);
    }
}

void vram_scanout_reset(VramGPU *vg)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
        vram_scanout_disable(vg, i);
}
