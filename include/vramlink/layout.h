/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Layouts: how the pixels of a framebuffer lie in a blob.
 *
 * virtio-gpu's SET_SCANOUT_BLOB names one of eight packed formats and has no field for a modifier. Where
 * guest and host agree on more out of band, the user lists it: "NV12,P010,XR24:0x0100000000000002" (fourccs
 * of drm_fourcc.h, each with the modifier that its buffers have).
 *
 * Thread: any; nothing here is shared.
 */
#ifndef VRAMLINK_LAYOUT_H
#define VRAMLINK_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VRL_MAX_PLANES 4u /* as SET_SCANOUT_BLOB has strides and offsets */

#define VRL_MODIFIER_LINEAR 0ull
#define VRL_MODIFIER_NONE 0x00ffffffffffffffull /* DRM_FORMAT_MOD_INVALID: not said, which means linear */

/* Of one plane: a sample has this many bytes and stands for across x down pixels. */
struct vrl_samples {
    uint8_t bytes, across, down;
};

struct vrl_layout {
    uint32_t fourcc; /* DRM_FORMAT_* */
    uint32_t nr_planes;
    uint64_t modifier; /* DRM_FORMAT_MOD_* */
    struct vrl_samples plane[VRL_MAX_PLANES];
};

/* The linear layout of a packed format of four bytes a pixel. */
static inline struct vrl_layout vrl_layout_packed(uint32_t fourcc)
{
    struct vrl_layout layout = {fourcc, 1, VRL_MODIFIER_NONE, {{4, 1, 1}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}}};

    return layout;
}

/* Whether bytes lie where stride and offset say. */
static inline bool vrl_layout_is_linear(const struct vrl_layout *layout)
{
    return layout->modifier == VRL_MODIFIER_LINEAR || layout->modifier == VRL_MODIFIER_NONE;
}

/* A user's list. */
struct vrl_layouts;

/* Parses @text: FOURCC or FOURCC:MODIFIER, comma-separated; "" is an empty list. NULL with one sentence in
 * *error (malloc()ed, the caller frees; NULL when out of memory) when an entry is malformed, a format is not
 * known or named twice, or is YUV and nothing on this host can convert it (libyuv.so.0 is loaded here). */
struct vrl_layouts *vrl_layouts_parse(const char *text, char **error);
/* NULL is fine. */
void vrl_layouts_free(struct vrl_layouts *layouts);
/* The list's layout of @fourcc; NULL when it has none. Borrowed. */
const struct vrl_layout *vrl_layouts_find(const struct vrl_layouts *layouts, uint32_t fourcc);

#ifdef __cplusplus
}
#endif

#endif
