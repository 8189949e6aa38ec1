/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The driver's side of a split virtqueue (virtio 1.2, 2.7) with as few qtest messages as it can do with:
 * libqos writes each field by itself, which is most of a test's time where QEMU runs in an emulated machine.
 *
 * The queue is libqos's (address, size, free_head, last_used_idx); the available ring's index is kept here.
 */
#ifndef VRAMLINK_TESTS_DEVICE_VM_RING_H
#define VRAMLINK_TESTS_DEVICE_VM_RING_H

#include "vm.h"

#include "qemu/osdep.h"

#include "libqos/virtio.h"

struct vm_ring {
    QVirtQueue *queue; /* NULL: there is none */
    uint16_t offered;  /* the available ring's index */
};

/* Sets up queue @index of @device, whose driver is not ok yet. */
void vm_ring_open(struct vm_ring *ring, struct vm *vm, QVirtioDevice *device, uint16_t index);

/* Frees its memory; the device has been reset. */
void vm_ring_close(struct vm_ring *ring, struct vm *vm);

/* Writes @count chains of @length descriptors (without their links, which are made here) to free places of
 * the table; returns the first one's head, after which a head follows each @length places. The table has no
 * places again until vm_ring_recycle(). */
uint32_t vm_ring_add(struct vm_ring *ring, struct vm *vm, const struct vm_descriptor *chains, size_t length,
                     size_t count);

/* Makes all places free: nothing is with the device. */
void vm_ring_recycle(struct vm_ring *ring);

/* Makes @count chains of @length places, the first one at @head, available; without ringing. */
void vm_ring_offer(struct vm_ring *ring, struct vm *vm, uint32_t head, uint32_t length, size_t count);

void vm_ring_notify(struct vm_ring *ring);

/* Takes the next used chain: its head and the bytes written to it. False when there is none. */
bool vm_ring_take(struct vm_ring *ring, struct vm *vm, uint32_t *head, uint32_t *length);

#endif
