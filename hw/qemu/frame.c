/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Frames: what the guest's format numbers mean, and a frame's pixels through the CPU's view.
 */
#include "hw/qemu/vram-gpu.h"

#include <drm_fourcc.h>

#include "hw/virtio/virtio-gpu-pixman.h"

/* Rows that are read between two looks at the clock: uncached VRAM may give no more than some tens of
 * megabytes a second. */
#define BAND 8u

/* virtio-gpu and DRM name the same bytes in memory: virtio in their order, DRM as a little-endian word.
 * pixman names a word of the host's, which virtio_gpu_get_pixman_format() turns as it must be. (QEMU's own
 * table, qemu_pixman_to_drm_format(), has half of these.) */
static const struct {
    uint32_t guest, fourcc;
} packed[] = {
    {VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, DRM_FORMAT_XRGB8888},
    {VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, DRM_FORMAT_ARGB8888},
    {VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, DRM_FORMAT_BGRX8888},
    {VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, DRM_FORMAT_BGRA8888},
    {VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, DRM_FORMAT_XBGR8888},
    {VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, DRM_FORMAT_ABGR8888},
    {VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, DRM_FORMAT_RGBX8888},
    {VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, DRM_FORMAT_RGBA8888},
};

/* pixman's format for the fourcc; 0 when it has none, as for YUV. */
static pixman_format_code_t pixman_format_of(uint32_t fourcc)
{
    for (size_t i = 0; i < ARRAY_SIZE(packed); i++) {
        if (packed[i].fourcc == fourcc)
            return virtio_gpu_get_pixman_format(packed[i].guest);
    }
#if !HOST_BIG_ENDIAN /* pixman has no such word of the other order */
    switch (fourcc) {
    case DRM_FORMAT_XRGB2101010:
        return PIXMAN_x2r10g10b10;
    case DRM_FORMAT_ARGB2101010:
        return PIXMAN_a2r10g10b10;
    case DRM_FORMAT_XBGR2101010:
        return PIXMAN_x2b10g10r10;
    case DRM_FORMAT_ABGR2101010:
        return PIXMAN_a2b10g10r10;
    default:
        break;
    }
#endif
    return 0;
}

bool vram_frame_layout(VramGPU *vg, uint32_t guest_format, struct vrl_layout *layout,
                       pixman_format_code_t *format)
{
    const struct vrl_layout *listed;
    uint32_t fourcc = guest_format;

    for (size_t i = 0; i < ARRAY_SIZE(packed); i++) {
        if (packed[i].guest == guest_format)
            fourcc = packed[i].fourcc;
    }
    listed = vrl_layouts_find(vg->layouts, fourcc);
    *format = pixman_format_of(fourcc);
    if (listed)
        *layout = *listed;
    else
        *layout = vrl_layout_packed(fourcc);
    return listed || fourcc != guest_format;
}

/* Whether @part lies inside of @to: what is written is bounded by what is there, whatever was expected. */
static bool has_room(pixman_image_t *to, const VramDamage *part)
{
    return PIXMAN_FORMAT_BPP(pixman_image_get_format(to)) == 32 &&
           (uint64_t)part->x + part->width <= (uint64_t)pixman_image_get_width(to) &&
           (uint64_t)part->y + part->height <= (uint64_t)pixman_image_get_height(to);
}

/* Pixels of YUV formats, cut to the samples that they share. */
static bool convert_band(VramGPU *vg, uint32_t id, const struct vrl_framebuffer *fb, pixman_image_t *to,
                         const VramDamage *band)
{
    return vrl_table_convert(vg->table, id, fb, pixman_image_get_data(to),
                             (uint32_t)pixman_image_get_stride(to), band->x, band->y, band->width,
                             band->height);
}

/* One band of rows into the same place of @to. */
static bool copy_band(VramGPU *vg, uint32_t id, const struct vrl_framebuffer *fb, pixman_image_t *from,
                      pixman_image_t *to, const VramDamage *band)
{
    if (!has_room(to, band))
        return false;
    vrl_table_flush(vg->table, id, fb, band->x, band->y, band->width, band->height);
    if (!from)
        return convert_band(vg, id, fb, to, band);
    pixman_image_composite(PIXMAN_OP_SRC, from, NULL, to, (int16_t)band->x, (int16_t)band->y, 0, 0,
                           (int16_t)band->x, (int16_t)band->y, (uint16_t)band->width, (uint16_t)band->height);
    return true;
}

bool vram_frame_copy(VramGPU *vg, uint32_t id, const struct vrl_framebuffer *fb, pixman_format_code_t format,
                     pixman_image_t *to, const VramDamage *part, int64_t deadline)
{
    void *pixels = vrl_table_view(vg->table, id, fb);
    pixman_image_t *from = NULL;
    uint32_t done = 0;

    if (!pixels || !vrl_layout_is_linear(&fb->layout))
        return false;
    if (format) {
        from = pixman_image_create_bits_no_clear(format, (int)fb->width, (int)fb->height, pixels,
                                                 (int)fb->stride);
        if (!from)
            return false;
    }
    vram_reading_begin();
    while (done < part->height && g_get_monotonic_time() <= deadline) {
        const VramDamage band = {part->x, part->y + done, part->width, MIN(BAND, part->height - done)};

        if (!copy_band(vg, id, fb, from, to, &band))
            break;
        done += band.height;
    }
    vram_reading_end();
    if (from)
        pixman_image_unref(from);
    return done == part->height;
}
