/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Scanouts: which blob the guest has bound to which output, and what follows from its commands. How it gets
 * to the displays is show.c's.
 */
#include "hw/qemu/console.h"
#include "hw/qemu/copying.h"
#include "hw/qemu/trace.h"

/* QEMU's virtio-gpu refuses scanouts below 16 pixels; above 16,384 its damage rectangles and D-Bus numbers
 * end. */
#define MIN_DIMENSION 16u
#define MAX_DIMENSION 16384u
#define PIXEL_ALIGNMENT 4u
/* Consoles read whole rows, the last one included, whose tail may lie behind the blob: the views have this
 * much readable memory there (hw/view/cpu_view.hpp, view_slack). Four times the widest row. */
#define MAX_STRIDE (MAX_DIMENSION * 4u * 4u)

static QemuConsole *console(VramGPU *vg, uint32_t scanout_id)
{
    return vg->parent_obj.parent_obj.scanout[scanout_id].con;
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

/* --- the guest's side */

static void forget_binding(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];

    for (unsigned i = 0; i < VRAM_KNOWN_BUFFERS; i++)
        vram_buffer_drop(vg, console(vg, scanout_id), &s->known[i]);
    s->id = 0;
    s->fb = (struct vrl_framebuffer){0};
    s->format = 0;
    s->guest_format = s->x = s->y = 0;
    s->converted = s->flip_pending = s->flush_pending = false;
}

void vram_scanout_disable(VramGPU *vg, uint32_t scanout_id)
{
    if (!vg->scanout[scanout_id].id)
        return;
    vram_copying_cancel(vg, scanout_id);
    vram_let_go(vg, scanout_id);
    forget_binding(vg, scanout_id);
    tell_parent(vg, scanout_id, 0, 0, 0);
}

/* What QEMU's surfaces and pixman under them can carry; they assert where we refuse. Fills in how the pixels
 * lie. */
static bool consoles_can_show(VramGPU *vg, const struct virtio_gpu_set_scanout_blob *ss,
                              struct vrl_layout *layout, pixman_format_code_t *format)
{
    if (!vram_frame_layout(vg, ss->format, layout, format)) {
        vram_log_guest(vg,
                       "SET_SCANOUT_BLOB: format %u is none of the eight that virtio-gpu defines for 2D, and "
                       "none of the property layouts",
                       ss->format);
        return false;
    }
    if (ss->r.width < MIN_DIMENSION || ss->r.height < MIN_DIMENSION || ss->r.width > MAX_DIMENSION ||
        ss->r.height > MAX_DIMENSION) {
        vram_log_guest(vg, "SET_SCANOUT_BLOB: a rectangle of %ux%u, the limits are %ux%u and %ux%u",
                       ss->r.width, ss->r.height, MIN_DIMENSION, MIN_DIMENSION, MAX_DIMENSION, MAX_DIMENSION);
        return false;
    }
    for (uint32_t i = 0; i < layout->nr_planes; i++) {
        if (ss->strides[i] % PIXEL_ALIGNMENT == 0 && ss->offsets[i] % PIXEL_ALIGNMENT == 0 &&
            ss->strides[i] <= MAX_STRIDE)
            continue;
        vram_log_guest(
            vg, "SET_SCANOUT_BLOB: stride %u, offset %u: both must be multiples of %u, the stride at most %u",
            ss->strides[i], ss->offsets[i], PIXEL_ALIGNMENT, MAX_STRIDE);
        return false;
    }
    return true;
}

static struct vrl_framebuffer_request request_of(const struct virtio_gpu_set_scanout_blob *ss,
                                                 const struct vrl_layout *layout)
{
    struct vrl_framebuffer_request request = {
        .layout = *layout,
        .width = ss->width,
        .height = ss->height,
        .x = ss->r.x,
        .y = ss->r.y,
        .rect_width = ss->r.width,
        .rect_height = ss->r.height,
    };

    memcpy(request.stride, ss->strides, sizeof(request.stride));
    memcpy(request.offset, ss->offsets, sizeof(request.offset));
    return request;
}

/* Binds it; what was shown before stays on the console. */
static void bind_blob(VramGPU *vg, uint32_t scanout_id, const VramFrame *frame, uint32_t id,
                      uint32_t guest_format, uint32_t x, uint32_t y)
{
    VramScanout *s = &vg->scanout[scanout_id];

    s->id = id;
    s->fb = frame->fb;
    s->format = frame->format;
    s->guest_format = guest_format;
    s->x = x;
    s->y = y;
    vg->parent_obj.parent_obj.enable = 1;
    tell_parent(vg, scanout_id, id, frame->fb.width, frame->fb.height);
}

enum vrl_status vram_scanout_set(VramGPU *vg, uint32_t scanout_id,
                                 const struct virtio_gpu_set_scanout_blob *ss)
{
    struct vrl_framebuffer_request request;
    struct vrl_layout layout;
    VramFrame frame;
    enum vrl_status status;

    QEMU_BUILD_BUG_ON(sizeof(request.stride) != sizeof(ss->strides));
    if (!consoles_can_show(vg, ss, &layout, &frame.format))
        return VRL_ERR_INVALID_PARAMETER;
    request = request_of(ss, &layout);
    status = vrl_framebuffer_init(vg->table, ss->resource_id, &request, &frame.fb);
    if (status != VRL_OK)
        return status;
    if (!vrl_table_is_backed(vg->table, ss->resource_id)) {
        vrl_table_log(vg->table, VRL_LOG_GUEST, "SET_SCANOUT_BLOB: the blob has no backing");
        return VRL_ERR_UNSPEC;
    }
    bind_blob(vg, scanout_id, &frame, ss->resource_id, ss->format, ss->r.x, ss->r.y);
    vrl_table_count(vg->table, VRL_EVENT_FLIP);
    return vram_show(vg, scanout_id);
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
    struct virtio_gpu_set_scanout_blob words = {
        .scanout_id = scanout_id,
        .resource_id = arrived->id,
        .format = arrived->guest_format,
        .r = {.width = arrived->fb.width, .height = arrived->fb.height},
        .strides = {arrived->fb.stride},
        .offsets = {(uint32_t)arrived->fb.start % PIXEL_ALIGNMENT},
    };
    VramFrame frame = {.fb = arrived->fb};

    for (size_t i = 0; i < ARRAY_SIZE(frame.fb.more); i++) {
        words.strides[i + 1] = frame.fb.more[i].stride;
        words.offsets[i + 1] = (uint32_t)frame.fb.more[i].start % PIXEL_ALIGNMENT;
    }
    if (scanout_id >= vg->parent_obj.parent_obj.conf.max_outputs ||
        !consoles_can_show(vg, &words, &frame.fb.layout, &frame.format))
        return;
    frame.fb.bytes_pp = frame.fb.layout.plane[0].bytes;
    bind_blob(vg, scanout_id, &frame, arrived->id, arrived->guest_format, arrived->x, arrived->y);
    if (vrl_table_is_backed(vg->table, arrived->id) && vram_show(vg, scanout_id) == VRL_OK)
        vram_scanout_flush(vg, arrived->id, NULL);
}

void vram_scanout_release(void *opaque, uint32_t id, bool revoked)
{
    VramGPU *vg = opaque;

    vram_trace(vg, release, "blob %u: %s", id,
               revoked ? "its memory went away" : "the guest or a display lets go");
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        VramScanout *s = &vg->scanout[i];

        if (s->id == id) {
            vram_copying_cancel(vg, i);
            s->flip_pending = s->flush_pending = false;
        }
        if (s->shown == id)
            vram_let_go(vg, i);
        for (unsigned k = 0; k < VRAM_KNOWN_BUFFERS; k++) {
            if (s->known[k].id == id)
                vram_buffer_drop(vg, console(vg, i), &s->known[k]);
        }
    }
}

bool vram_scanout_shown_outside(VramGPU *vg, uint32_t id)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        const VramScanout *s = &vg->scanout[i];

        if (s->shown == id && s->showing == VRAM_SHOWING_DMABUF &&
            vram_console_taker(console(vg, i)) == VRAM_TAKER_PASSES_ON)
            return true;
    }
    return false;
}

void vram_scanout_flip_away(VramGPU *vg, uint32_t id)
{
    vram_scanout_release(vg, id, false);
    if (!vg->unpaced) /* else the one that hangs would be waited for each time */
        vrl_table_await(vg->table, id, vg->flip_away_ms);
}

void vram_scanout_restore(VramGPU *vg, uint32_t id)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vg->scanout[i].id == id && vram_show(vg, i) == VRL_OK)
            vram_scanout_flush(vg, id, NULL);
        if (vg->scanout[i].flip_pending)
            vram_flush_timer_arm(vg);
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
static bool damage_of(const VramScanout *s, const struct virtio_gpu_rect *rect, VramDamage *damage)
{
    uint64_t left, top, right, bottom;

    if (!rect) {
        *damage = (VramDamage){0, 0, s->fb.width, s->fb.height};
        return true;
    }
    left = MAX(rect->x, s->x);
    top = MAX(rect->y, s->y);
    right = MIN((uint64_t)rect->x + rect->width, (uint64_t)s->x + s->fb.width);
    bottom = MIN((uint64_t)rect->y + rect->height, (uint64_t)s->y + s->fb.height);
    if (left >= right || top >= bottom)
        return false;
    *damage = (VramDamage){(uint32_t)(left - s->x), (uint32_t)(top - s->y), (uint32_t)(right - left),
                           (uint32_t)(bottom - top)};
    return true;
}

void vram_scanout_flush(VramGPU *vg, uint32_t id, const struct virtio_gpu_rect *rect)
{
    vrl_table_count(vg->table, VRL_EVENT_FLUSH);
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        VramScanout *s = &vg->scanout[i];
        VramDamage d;

        if (s->id != id || !damage_of(s, rect, &d))
            continue;
        if (s->flip_pending || vram_copying_flips(vg, i))
            s->flush_pending = true;
        else if (s->shown == id)
            vram_present(vg, i, &d);
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
        const VramDamage all = {0, 0, s->fb.width, s->fb.height};
        bool flush = s->flush_pending;

        if (!s->flip_pending)
            continue;
        s->flip_pending = false;
        if (vram_show(vg, i) == VRL_OK && flush)
            vram_present(vg, i, &all);
    }
}

void vram_scanout_reset(VramGPU *vg)
{
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vg->scanout[i].shown && vram_scanout_shown_outside(vg, vg->scanout[i].shown))
            vram_scanout_flip_away(vg, vg->scanout[i].shown);
    }
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
        vram_scanout_disable(vg, i);
}
