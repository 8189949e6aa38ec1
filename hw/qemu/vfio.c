/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Recognises a VFIO device's BAR behind a memory region.
 *
 * The owner of the region decides, not a list of devices and not the RAM block's fd: newer QEMU gives the RAM
 * blocks of BARs an fd of their own, and there may be many devices. A BAR may be mapped in several pieces
 * (sparse areas, an MSI-X table in the middle); each is a region of its own with its place in the BAR.
 */
#include "hw/qemu/regions.h"

#include "hw/vfio/pci.h"

static const VFIOMmap *find_mmap(const VFIORegion *region, const MemoryRegion *mr)
{
    for (unsigned i = 0; i < region->nr_mmaps; i++) {
        if (&region->mmaps[i].mem == mr)
            return &region->mmaps[i];
    }
    return NULL;
}

bool vram_vfio_describe(MemoryRegion *mr, struct vrl_region *region, uint64_t *offset_in_bar, char **name)
{
    VFIOPCIDevice *vdev = (VFIOPCIDevice *)object_dynamic_cast(memory_region_owner(mr), TYPE_VFIO_PCI);

    if (!vdev)
        return false;
    for (unsigned bar = 0; bar < ARRAY_SIZE(vdev->bars); bar++) {
        const VFIORegion *vr = &vdev->bars[bar].region;
        const VFIOMmap *piece = find_mmap(vr, mr);

        if (!piece)
            continue;
        *region = (struct vrl_region){
            .kind = VRL_REGION_VFIO_BAR,
            .fd = vdev->vbasedev.fd,
            .index = vr->nr,
            .size = vr->size,
            .map_offset = (uint64_t)vr->fd_offset,
        };
        *offset_in_bar = (uint64_t)piece->offset;
        *name = g_strdup_printf("%s BAR %u", vdev->vbasedev.name, bar);
        return true;
    }
    return false;
}
