/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The copy of a command: what the guest can change is read once.
 *
 * A command's readable part is copied out of guest memory, whole and once, before anybody looks at it. From
 * then on the element's out_sg names the copy, for our handlers, the parent's and virglrenderer's alike.
 * Guest memory is read here and nowhere else.
 *
 * QEMU unmaps what an element names when the element is returned (hw/virtio/virtio.c, virtqueue_unmap_sg()),
 * and finds memory by its address. Therefore the copy lies in a RAM region of the device's own, which is in
 * no address space; each element that names it holds a reference to it.
 *
 * One copy exists at a time: only the command that is being carried out needs its body. A longer command is
 * cut, so that its end does not exist for anybody.
 *
 * Thread: main loop.
 */
#ifndef VRAMLINK_QEMU_COMMAND_COPY_H
#define VRAMLINK_QEMU_COMMAND_COPY_H

#include "hw/qemu/vram-gpu.h"

/* Makes room for commands of @max_bytes; false with @errp set when there is no memory. */
bool vram_copy_init(VramGPU *vg, size_t max_bytes, Error **errp);
void vram_copy_finish(VramGPU *vg);

/* Bytes of a command that are read at most. */
size_t vram_copy_limit(const VramGPU *vg);

/* Takes the next element from the queue, of @size bytes (QEMU: virtqueue_pop()), and copies what it names.
 * NULL when there is none. The caller frees it with g_free() after it has returned it to the queue. */
void *vram_copy_pop(VramGPU *vg, VirtQueue *vq, size_t size);

/* The element does not need the copy any more: it was carried out, and is returned to the queue later. */
void vram_copy_drop(VramGPU *vg, VirtQueueElement *elem);

/* The copy's bytes in memory of their own, for a command that is to be carried out again; g_free(). */
GBytes *vram_copy_save(VramGPU *vg, VirtQueueElement *elem);
/* The element names these bytes again. */
void vram_copy_restore(VramGPU *vg, VirtQueueElement *elem, GBytes *saved);

#endif
