/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What differs between the QEMU versions that the plugin is built for, and nothing else.
 */
#ifndef VRAMLINK_QEMU_COMPAT_H
#define VRAMLINK_QEMU_COMPAT_H

#include "hw/qemu/build-id.h"
#include "qemu/osdep.h"
#include "ui/console.h"
#include "vramlink/blob_table.h"

/* 10.1 made class_init's data and interface lists const. */
#if VRAMLINK_QEMU_NUMBER >= 1001
#define VRAMLINK_CLASS_DATA const void
#define VRAMLINK_INTERFACE const InterfaceInfo
#else
#define VRAMLINK_CLASS_DATA void
#define VRAMLINK_INTERFACE InterfaceInfo
#endif

/* 10.1 gave QemuDmaBuf several planes, with an offset each. */
#if VRAMLINK_QEMU_NUMBER >= 1001
#define VRAMLINK_DMABUF_PLANES VRL_MAX_PLANES
#else
#define VRAMLINK_DMABUF_PLANES 1u
#endif

/* The dma-buf that begins with @fb's first pixel. @fd stays the caller's: close nothing with
 * qemu_dmabuf_close(). */
static inline QemuDmaBuf *vramlink_dmabuf_new(const struct vrl_framebuffer *fb, int fd)
{
    const struct vrl_layout *layout = &fb->layout;
#if VRAMLINK_QEMU_NUMBER >= 1001
    uint32_t offset[VRL_MAX_PLANES] = {0}, stride[VRL_MAX_PLANES] = {fb->stride};
    int32_t fds[VRL_MAX_PLANES] = {fd};

    for (uint32_t i = 1; i < layout->nr_planes; i++) {
        offset[i] = (uint32_t)(fb->more[i - 1].start - fb->start);
        stride[i] = fb->more[i - 1].stride;
        fds[i] = fd;
    }
    return qemu_dmabuf_new(fb->width, fb->height, offset, stride, 0, 0, fb->width, fb->height, layout->fourcc,
                           layout->modifier, fds, layout->nr_planes, true, false);
#else
    return qemu_dmabuf_new(fb->width, fb->height, fb->stride, 0, 0, fb->width, fb->height, layout->fourcc,
                           layout->modifier, fd, true, false);
#endif
}

#endif
