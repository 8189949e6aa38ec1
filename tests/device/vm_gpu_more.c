/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio-gpu's rings and its status for somebody who does more with them than a driver does.
 */
#include "vm_parts.h"

#include "standard-headers/linux/virtio_pci.h"

#include "standard-headers/linux/virtio_ring.h"

static struct vm_ring *ring_of(struct vm_gpu *gpu, bool cursor)
{
    return cursor ? &gpu->cursor : &gpu->control;
}

struct vm_ring_place vm_gpu_ring_place(struct vm_gpu *gpu, bool cursor)
{
    const QVirtQueue *queue = ring_of(gpu, cursor)->queue;

    return (struct vm_ring_place){queue->desc, queue->avail, queue->used, queue->size};
}

void vm_gpu_ring_doorbell(struct vm_gpu *gpu, bool cursor)
{
    vm_ring_notify(ring_of(gpu, cursor));
}

void vm_gpu_ring_return(struct vm_gpu *gpu, bool cursor)
{
    struct vm_ring *ring = ring_of(gpu, cursor);
    QTestState *qts = gpu->vm->qts;

    ring->offered = qtest_readw(qts, ring->queue->avail + offsetof(struct vring_avail, idx));
    ring->queue->last_used_idx = qtest_readw(qts, ring->queue->used + offsetof(struct vring_used, idx));
    vm_ring_recycle(ring);
}

void vm_gpu_begin_reset(struct vm_gpu *gpu)
{
    qpci_io_writeb(gpu->dev.pdev, gpu->dev.bar,
                   (uint64_t)gpu->dev.common_cfg_offset + VIRTIO_PCI_COMMON_STATUS, 0);
}
