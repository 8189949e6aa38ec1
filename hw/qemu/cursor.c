/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The cursor: its queue, and a blob of 64x64 pixels, in VRAM or anywhere, that the CPU reads once for each
 * UPDATE_CURSOR. QEMU hands it to every display, with the hot spot.
 *
 * QEMU's own virtio-gpu takes cursor commands for as long as there are any. Here they have a slice of time,
 * as the control queue's have (slice.h).
 */
#include "hw/qemu/command-copy.h"
#include "hw/qemu/deferred.h"
#include "hw/qemu/later.h"
#include "hw/qemu/parent.h"
#include "hw/qemu/slice.h"

#include <drm_fourcc.h>

#include "hw/virtio/virtio-gpu-bswap.h"
#include "qemu/iov.h"

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

/* What the parent keeps of it is what its migration saves. */
static void update_cursor(VramGPU *vg, struct virtio_gpu_scanout *s,
                          const struct virtio_gpu_update_cursor *words)
{
    if (!s->current_cursor)
        s->current_cursor = cursor_alloc(CURSOR_SIZE, CURSOR_SIZE);
    s->current_cursor->hot_x = (int)words->hot_x;
    s->current_cursor->hot_y = (int)words->hot_y;
    if (words->resource_id)
        VIRTIO_GPU_GET_CLASS(vg)->update_cursor_data(VIRTIO_GPU(vg), s, words->resource_id);
    dpy_cursor_define(s->con, s->current_cursor);
    s->cursor = *words;
}

static void carry_out(VramGPU *vg, const struct virtio_gpu_update_cursor *words)
{
    VirtIOGPUBase *base = VIRTIO_GPU_BASE(vg);
    struct virtio_gpu_scanout *s;

    if (words->pos.scanout_id >= base->conf.max_outputs) {
        vram_log_guest(vg, "a cursor on scanout %u, there are %u", words->pos.scanout_id,
                       base->conf.max_outputs);
        return;
    }
    s = &base->scanout[words->pos.scanout_id];
    if (words->hdr.type == VIRTIO_GPU_CMD_MOVE_CURSOR) {
        s->cursor.pos.x = words->pos.x;
        s->cursor.pos.y = words->pos.y;
    } else {
        update_cursor(vg, s, words);
    }
    dpy_mouse_set(s->con, (int)words->pos.x, (int)words->pos.y, words->resource_id != 0);
}

void vram_handle_cursor(VramGPU *vg)
{
    VirtQueue *vq = VIRTIO_GPU(vg)->cursor_vq;
    const int64_t end = vram_slice_begin();
    struct virtio_gpu_update_cursor words;
    VirtQueueElement *elem;

    vram_deferred_run(vg);
    while (!vram_is_gone(vg) && virtio_queue_ready(vq)) {
        if (vram_slice_over(end)) {
            vram_later(vg->cursor_later);
            return;
        }
        elem = vram_copy_pop(vg, vq, sizeof(*elem));
        if (!elem)
            return;
        if (iov_to_buf(elem->out_sg, elem->out_num, 0, &words, sizeof(words)) == sizeof(words)) {
            virtio_gpu_bswap_32(&words, sizeof(words));
            carry_out(vg, &words);
        } else {
            vram_log_guest(vg, "a cursor command of %zu bytes, it needs %zu",
                           iov_size(elem->out_sg, elem->out_num), sizeof(words));
        }
        vram_copy_drop(vg, elem);
        virtqueue_push(vq, elem, 0);
        if (!vram_is_gone(vg))
            virtio_notify(VIRTIO_DEVICE(vg), vq);
        g_free(elem);
    }
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
