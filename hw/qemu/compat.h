/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What differs between the QEMU versions that the plugin is built for, and nothing else.
 */
#ifndef VRAMLINK_QEMU_COMPAT_H
#define VRAMLINK_QEMU_COMPAT_H

#include "hw/qemu/build-id.h"
#include "qemu/osdep.h"
#include "ui/console.h"

/* 10.1 made class_init's data and interface lists const. */
#if VRAMLINK_QEMU_NUMBER >= 1001
#define VRAMLINK_CLASS_DATA const void
#define VRAMLINK_INTERFACE const InterfaceInfo
#else
#define VRAMLINK_CLASS_DATA void
#define VRAMLINK_INTERFACE InterfaceInfo
#endif

/* 10.1 gave QemuDmaBuf several planes, with an offset each. @fd stays the caller's: close nothing with
 * qemu_dmabuf_close(). */
static inline QemuDmaBuf *vramlink_dmabuf_new(uint32_t width, uint32_t height, uint32_t stride,
                                              uint32_t fourcc, uint64_t modifier, int fd)
{
#if VRAMLINK_QEMU_NUMBER >= 1001
    uint32_t offset = 0;

    return qemu_dmabuf_new(width, height, &offset, &stride, 0, 0, width, height, fourcc, modifier, &fd, 1,
                           true, false);
#else
    return qemu_dmabuf_new(width, height, stride, 0, 0, width, height, fourcc, modifier, fd, true, false);
#endif
}

#endif
