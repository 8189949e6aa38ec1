/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/command-copy.h"

#include "qapi/error.h"
#include "qemu/iov.h"
#include "system/dma.h"

static void *copy_of(const VramGPU *vg)
{
    return memory_region_get_ram_ptr((MemoryRegion *)&vg->copy);
}

size_t vram_copy_limit(const VramGPU *vg)
{
    return (size_t)memory_region_size((MemoryRegion *)&vg->copy);
}

bool vram_copy_init(VramGPU *vg, size_t max_bytes, Error **errp)
{
    return memory_region_init_ram_nomigrate(&vg->copy, OBJECT(vg), "vramlink-command",
                                            ROUND_UP(max_bytes, (size_t)qemu_real_host_page_size()), errp);
}

void vram_copy_finish(VramGPU *vg)
{
    object_unparent(OBJECT(&vg->copy));
}

static void name_copy(VramGPU *vg, VirtQueueElement *elem, size_t bytes)
{
    memory_region_ref(&vg->copy);
    elem->out_sg[0] = (struct iovec){.iov_base = copy_of(vg), .iov_len = bytes};
    elem->out_num = 1;
}

static void unmap_guest_memory(VramGPU *vg, VirtQueueElement *elem)
{
    for (unsigned i = 0; i < elem->out_num; i++)
        dma_memory_unmap(VIRTIO_DEVICE(vg)->dma_as, elem->out_sg[i].iov_base, elem->out_sg[i].iov_len,
                         DMA_DIRECTION_TO_DEVICE, elem->out_sg[i].iov_len);
}

void *vram_copy_pop(VramGPU *vg, VirtQueue *vq, size_t size)
{
    VirtQueueElement *elem = virtqueue_pop(vq, size);
    size_t bytes;

    if (!elem || !elem->out_num)
        return elem;
    bytes = iov_to_buf(elem->out_sg, elem->out_num, 0, copy_of(vg), vram_copy_limit(vg));
    unmap_guest_memory(vg, elem);
    name_copy(vg, elem, bytes);
    return elem;
}

void vram_copy_drop(VramGPU *vg, VirtQueueElement *elem)
{
    if (!elem->out_num)
        return;
    elem->out_num = 0;
    memory_region_unref(&vg->copy);
}

GBytes *vram_copy_save(VramGPU *vg, VirtQueueElement *elem)
{
    GBytes *saved = g_bytes_new(copy_of(vg), elem->out_num ? elem->out_sg[0].iov_len : 0);

    vram_copy_drop(vg, elem);
    return saved;
}

void vram_copy_restore(VramGPU *vg, VirtQueueElement *elem, GBytes *saved)
{
    size_t bytes;
    const void *data = g_bytes_get_data(saved, &bytes);

    if (bytes) {
        memcpy(copy_of(vg), data, bytes);
        name_copy(vg, elem, bytes);
    }
    g_bytes_unref(saved);
}
