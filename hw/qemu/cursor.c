/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The cursor: a blob of 64x64 pixels, in VRAM or anywhere, that the CPU reads once for each UPDATE_CURSOR.
 * QEMU hands it to every display, with the hot spot.
 */
#include "hw/qemu/vram-gpu.h"

#include <drm_fourcc.h>

/* virtio 1.3, 5.7.6.10: cursors are that wide and high. */
#define CURSOR_SIZE 64

void vram_update_cursor_data(VirtIOGPU *g, struct virtio_gpu_scanout *s, uint32_t resource_id)
{
    VramGPU *vg = VRAM_GPU(g);
    uint32_t width = s->current_cursor->width, height = s->current_cursor->height;
    const struct vrl_framebuffer_request request = {
        .layout = vrl_layout_packed(DRM_FORMAT_ARGB8888),
        .width = width,
        .height = height,
        .rect_width = width,
        .rect_height = height,
        .stride = {width * 4},
    };
    struct vrl_framebuffer fb;
    const void *pixels;

    if (!vrl_table_has(vg->table, resource_id)) {
        vram_parent_class(vg)->update_cursor_data(g, s, resource_id);
        return;
    }
    if (!vrl_table_is_backed(vg->table, resource_id) ||
        vrl_framebuffer_init(vg->table, resource_id, &request, &fb) != VRL_OK)
        return;
    pixels = vrl_table_view(vg->table, resource_id, &fb);
    if (!pixels)
        return;
    vrl_table_flush(vg->table, resource_id, &fb, 0, 0, width, height);
    vram_reading_begin();
    memcpy(s->current_cursor->data, pixels, (size_t)width * height * 4);
    vram_reading_end();
}

void vram_cursor_restore(VramGPU *vg, uint32_t scanout_id)
{
    struct virtio_gpu_scanout *s = &vg->parent_obj.parent_obj.scanout[scanout_id];

    if (!vrl_table_has(vg->table, s->cursor.resource_id))
        return;
    if (!s->current_cursor)
        s->current_cursor = cursor_alloc(CURSOR_SIZE, CURSOR_SIZE);
    s->current_cursor->hot_x = (int)s->cursor.hot_x;
    s->current_cursor->hot_y = (int)s->cursor.hot_y;
    vram_update_cursor_data(VIRTIO_GPU(vg), s, s->cursor.resource_id);
    dpy_cursor_define(s->con, s->current_cursor);
    dpy_mouse_set(s->con, (int)s->cursor.pos.x, (int)s->cursor.pos.y, true);
}
