/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vm_parts.h"

#include "standard-headers/linux/virtio_ring.h"

/* The linker sends libqos's own call here (--wrap, meson.build). The links of the table are made as it is
 * filled. */
void __wrap_qvring_init(QTestState *qts, const QGuestAllocator *alloc, QVirtQueue *queue, uint64_t address);

void __wrap_qvring_init(QTestState *qts, const QGuestAllocator *alloc, QVirtQueue *queue, uint64_t address)
{
    const uint64_t avail_size = sizeof(uint16_t) * (3 + (uint64_t)queue->size);
    const uint64_t used_size = sizeof(uint16_t) * 3 + sizeof(struct vring_used_elem) * (uint64_t)queue->size;

    queue->desc = address;
    queue->avail = queue->desc + queue->size * sizeof(struct vring_desc);
    queue->used = QEMU_ALIGN_UP(queue->avail + avail_size, queue->align);
    qtest_memset(qts, address, 0, queue->used + used_size - address);
}

void vm_ring_open(struct vm_ring *ring, struct vm *vm, QVirtioDevice *device, uint16_t index)
{
    ring->queue = qvirtqueue_setup(device, &vm->alloc, index);
    ring->offered = 0;
}

void vm_ring_close(struct vm_ring *ring, struct vm *vm)
{
    if (ring->queue)
        qvirtqueue_cleanup(ring->queue->vdev->bus, ring->queue, &vm->alloc);
    ring->queue = NULL;
}

uint32_t vm_ring_add(struct vm_ring *ring, struct vm *vm, const struct vm_descriptor *chains, size_t length,
                     size_t count)
{
    QVirtQueue *queue = ring->queue;
    const uint32_t head = queue->free_head;
    const size_t all = length * count;
    g_autofree struct vm_descriptor *places = g_memdup2(chains, all * sizeof(*chains));

    QEMU_BUILD_BUG_ON(sizeof(struct vm_descriptor) != sizeof(struct vring_desc));
    g_assert(all && all <= queue->num_free);
    for (size_t i = 0; i < all; i++) {
        if ((i + 1) % length == 0)
            continue;
        places[i].flags |= VRING_DESC_F_NEXT;
        places[i].next = (uint16_t)(head + i + 1);
    }
    qtest_bufwrite(vm->qts, queue->desc + head * sizeof(*places), places, all * sizeof(*places));
    queue->free_head += all;
    queue->num_free -= all;
    return head;
}

void vm_ring_recycle(struct vm_ring *ring)
{
    ring->queue->free_head = 0;
    ring->queue->num_free = ring->queue->size;
}

void vm_ring_offer(struct vm_ring *ring, struct vm *vm, uint32_t head, uint32_t length, size_t count)
{
    const uint64_t ring_at = ring->queue->avail + offsetof(struct vring_avail, ring);
    g_autofree uint16_t *heads = g_new(uint16_t, count);

    for (size_t done = 0; done < count;) {
        const uint32_t place = ring->offered % ring->queue->size;
        const size_t here = MIN(count - done, ring->queue->size - place); /* up to the ring's end */

        for (size_t i = 0; i < here; i++)
            heads[i] = (uint16_t)(head + (done + i) * length);
        qtest_bufwrite(vm->qts, ring_at + sizeof(*heads) * place, heads, sizeof(*heads) * here);
        ring->offered += (uint16_t)here;
        done += here;
    }
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): g_autofree
    qtest_writew(vm->qts, ring->queue->avail + offsetof(struct vring_avail, idx), ring->offered);
}

void vm_ring_notify(struct vm_ring *ring)
{
    ring->queue->vdev->bus->virtqueue_kick(ring->queue->vdev, ring->queue);
}

bool vm_ring_take(struct vm_ring *ring, struct vm *vm, uint32_t *head, uint32_t *length)
{
    QVirtQueue *queue = ring->queue;
    struct vring_used_elem used;

    if (qtest_readw(vm->qts, queue->used + offsetof(struct vring_used, idx)) == queue->last_used_idx)
        return false;
    qtest_bufread(vm->qts,
                  queue->used + offsetof(struct vring_used, ring) +
                      sizeof(used) * (queue->last_used_idx % queue->size),
                  &used, sizeof(used));
    *head = used.id;
    *length = used.len;
    queue->last_used_idx++;
    return true;
}
