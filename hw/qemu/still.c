/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Stills: the last frame of a blob whose memory the guest takes away.
 *
 * Linux moves a buffer between VRAM and RAM with DETACH_BACKING and, at the next frame, ATTACH_BACKING, while
 * it stays on the screen (Linux: drivers/gpu/drm/virtio/virtgpu_prime.c, virtgpu_plane.c). Consumers must let
 * go of the memory at once, and a screen must not go dark for it: so its frame is copied, once for each move,
 * and shown until there is new backing, a flip or a disable. Where that cannot be done in still-ms the screen
 * goes dark, as when the memory is taken away by anything else.
 *
 * A display in another process gets the still as a dma-buf, by whose name it knows that everything before it
 * is to be let go of; any other gets a surface.
 */
#include "hw/qemu/console.h"
#include "hw/qemu/copying.h"
#include "hw/qemu/surface.h"

#include <drm_fourcc.h>

#include "ui/surface.h"

/* What every scanout engine takes. */
#define STRIDE_ALIGNMENT 256u

void vram_still_drop(VramScanout *s)
{
    if (s->still_image)
        pixman_image_unref(s->still_image);
    g_clear_pointer(&s->still_dmabuf, qemu_dmabuf_free);
    g_clear_pointer(&s->still, vrl_still_free);
    s->still_image = NULL;
}

/* Nobody holds the blob now. */
static void becomes_still(VramScanout *s)
{
    s->showing = VRAM_SHOWING_STILL;
    s->shown = 0;
    s->current = NULL;
}

static bool keep_as_surface(VramGPU *vg, uint32_t scanout_id, const VramFrame *frame, int64_t deadline)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = vg->parent_obj.parent_obj.scanout[scanout_id].con;
    const VramDamage all = {0, 0, frame->fb.width, frame->fb.height};
    struct vrl_charge *charge = NULL;
    DisplaySurface *surface = vram_surface_new(vg, all.width, all.height, "a still", &charge);

    if (!surface)
        return false;
    if (!vram_frame_copy(vg, s->shown, &frame->fb, frame->format, surface->image, &all, deadline)) {
        qemu_free_displaysurface(surface);
        vrl_charge_free(charge);
        return false;
    }
    if (s->current)
        vram_buffer_settle(con, s->current->dmabuf);
    if (s->showing == VRAM_SHOWING_DMABUF)
        dpy_gl_scanout_disable(con);
    dpy_gfx_replace_surface(con, surface);
    becomes_still(s);
    vrl_charge_free(s->surface_charge);
    s->surface_charge = charge;
    vram_surface_update(vg, con, &all);
    return true;
}

static bool keep_as_dmabuf(VramGPU *vg, uint32_t scanout_id, const VramFrame *frame, int64_t deadline)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = vg->parent_obj.parent_obj.scanout[scanout_id].con;
    const VramDamage all = {0, 0, frame->fb.width, frame->fb.height};
    const uint32_t stride = ROUND_UP(all.width * 4, STRIDE_ALIGNMENT);
    const bool rgb = frame->format != 0;
    struct vrl_framebuffer fb = {
        .width = all.width,
        .height = all.height,
        .stride = stride,
        .layout = vrl_layout_packed(rgb ? frame->fb.layout.fourcc : DRM_FORMAT_XRGB8888),
    };

    s->still = vrl_still_new(vg->table, stride, all.height);
    if (!s->still)
        return false;
    s->still_image =
        pixman_image_create_bits_no_clear(rgb ? frame->format : PIXMAN_x8r8g8b8, (int)all.width,
                                          (int)all.height, vrl_still_pixels(s->still), (int)stride);
    if (!s->still_image ||
        !vram_frame_copy(vg, s->shown, &frame->fb, frame->format, s->still_image, &all, deadline)) {
        vram_still_drop(s);
        return false;
    }
    s->still_dmabuf = vramlink_dmabuf_new(&fb, vrl_still_dmabuf(s->still));
    becomes_still(s);
    dpy_gl_scanout_dmabuf(con, s->still_dmabuf);
    vram_console_update(vg, con, &all);
    return true;
}

static bool take(VramGPU *vg, uint32_t scanout_id, int64_t deadline)
{
    VramScanout *s = &vg->scanout[scanout_id];
    QemuConsole *con = vg->parent_obj.parent_obj.scanout[scanout_id].con;
    VramFrame frame = s->surface_frame;

    if (s->id == s->shown) /* another blob's flip goes on */
        vram_copying_cancel(vg, scanout_id);
    if (s->showing == VRAM_SHOWING_SURFACE && s->converted) {
        becomes_still(s); /* the display has pixels of its own already */
        return true;
    }
    if (s->showing == VRAM_SHOWING_DMABUF)
        frame = (VramFrame){s->current->fb, s->current->format};
    if (!vrl_layout_is_linear(&frame.fb.layout))
        return false;
    if (!(s->showing == VRAM_SHOWING_DMABUF && vram_console_taker(con) == VRAM_TAKER_PASSES_ON
              ? keep_as_dmabuf(vg, scanout_id, &frame, deadline)
              : keep_as_surface(vg, scanout_id, &frame, deadline)))
        return false;
    vrl_table_count_copied(vg->table, (uint64_t)frame.fb.width * frame.fb.height * 4);
    return true;
}

void vram_still_take(VramGPU *vg, uint32_t id)
{
    const int64_t deadline = g_get_monotonic_time() + (int64_t)vg->still_ms * 1000;

    if (!vg->still_ms)
        return;
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vg->scanout[i].shown == id)
            vrl_table_count(vg->table, take(vg, i, deadline) ? VRL_EVENT_STILL : VRL_EVENT_STILL_LOST);
    }
}
