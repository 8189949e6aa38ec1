/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The device behind a vIOMMU (iommu_platform=on): which guest addresses an IOMMU answers for, and its unmaps.
 *
 * A translation is made once, when the guest attaches memory to a blob. When the guest's IOMMU driver takes
 * the mapping away or changes it, the blobs that it answered for are revoked; a listener on the device's own
 * address space finds the IOMMU regions to be told by.
 */
#include "hw/qemu/regions.h"
#include "hw/qemu/revoke.h"

#include "exec/address-spaces.h"
#include "exec/memory-internal.h"
#include "exec/memory.h"
#include "hw/pci/pci_device.h"
#include "qapi/error.h"
#include "qemu/rcu.h"

/* A stretch of the device's address space that an IOMMU translates. */
typedef struct Stretch {
    VramIommu *iommu;
    MemoryRegion *mr;
    hwaddr first, last; /* device addresses */
    hwaddr to_device;   /* what to add to an address of @mr */
    IOMMUNotifier notifier;
    bool notified; /* the IOMMU takes the notifier */
    QLIST_ENTRY(Stretch) next;
} Stretch;

struct VramIommu {
    VramGPU *vg;
    AddressSpace *as; /* NULL: not listening yet */
    MemoryListener listener;
    QLIST_HEAD(Stretches, Stretch) stretches;
};

static void unmapped(IOMMUNotifier *notifier, IOMMUTLBEntry *entry)
{
    Stretch *stretch = container_of(notifier, Stretch, notifier);
    hwaddr first = entry->iova + stretch->to_device;

    vram_revoke_addresses(stretch->iommu->vg, first, first + entry->addr_mask);
}

/* QEMU's amd-iommu takes notifiers of unmaps and calls none (QEMU: hw/i386/amd_iommu.c). */
static bool never_tells(MemoryRegion *mr)
{
    return object_dynamic_cast(OBJECT(mr), "amd-iommu-iommu-memory-region") != NULL;
}

static void warn(VramGPU *vg, const char *why)
{
    g_autofree char *sentence = g_strdup_printf(
        "the guest's IOMMU does not tell of its unmaps (%s): a buffer keeps its memory until the "
        "guest detaches it",
        why);

    vrl_table_warn(vg->table, sentence);
}

static bool warn_if_silent(Int128 start, Int128 length, const MemoryRegion *mr, hwaddr offset, void *opaque)
{
    if (!memory_region_is_iommu((MemoryRegion *)mr) || !never_tells((MemoryRegion *)mr))
        return false;
    warn(opaque, object_get_typename(OBJECT(mr)));
    return true;
}

/* Before the guest's driver has made the device a bus master, there is nothing in its own address space. */
static void look_behind_bus(VramGPU *vg)
{
    PCIDevice *pdev = (PCIDevice *)object_dynamic_cast(OBJECT(vg)->parent, TYPE_PCI_DEVICE);

    if (!pdev)
        return;
    RCU_READ_LOCK_GUARD();
    flatview_for_each_range(address_space_to_flatview(pci_device_iommu_address_space(pdev)), warn_if_silent,
                            vg);
}

static void region_add(MemoryListener *listener, MemoryRegionSection *section)
{
    VramIommu *iommu = container_of(listener, VramIommu, listener);
    hwaddr last = int128_getlo(int128_sub(section->size, int128_one()));
    Error *err = NULL;
    Stretch *stretch;

    if (!memory_region_is_iommu(section->mr))
        return;
    stretch = g_new0(Stretch, 1);
    stretch->iommu = iommu;
    stretch->mr = section->mr;
    stretch->first = section->offset_within_address_space;
    stretch->last = stretch->first + last;
    stretch->to_device = section->offset_within_address_space - section->offset_within_region;
    iommu_notifier_init(
        &stretch->notifier, unmapped, IOMMU_NOTIFIER_UNMAP, section->offset_within_region,
        section->offset_within_region + last,
        memory_region_iommu_attrs_to_index(IOMMU_MEMORY_REGION(section->mr), MEMTXATTRS_UNSPECIFIED));
    stretch->notified = memory_region_register_iommu_notifier(section->mr, &stretch->notifier, &err) == 0;
    if (!stretch->notified || never_tells(section->mr))
        warn(iommu->vg, err ? error_get_pretty(err) : object_get_typename(OBJECT(section->mr)));
    error_free(err);
    QLIST_INSERT_HEAD(&iommu->stretches, stretch, next);
}

static void region_del(MemoryListener *listener, MemoryRegionSection *section)
{
    VramIommu *iommu = container_of(listener, VramIommu, listener);
    Stretch *stretch;

    QLIST_FOREACH(stretch, &iommu->stretches, next)
    {
        if (stretch->mr != section->mr || stretch->first != section->offset_within_address_space)
            continue;
        if (stretch->notified)
            memory_region_unregister_iommu_notifier(stretch->mr, &stretch->notifier);
        vram_revoke_addresses(iommu->vg, stretch->first, stretch->last);
        QLIST_REMOVE(stretch, next);
        g_free(stretch);
        return;
    }
}

void vram_iommu_look(VramIommu *iommu)
{
    AddressSpace *as = VIRTIO_DEVICE(iommu->vg)->dma_as;

    /* The device learns its address space after it has been realized. */
    if (iommu->as == as)
        return;
    if (iommu->as)
        memory_listener_unregister(&iommu->listener);
    if (as != &address_space_memory)
        look_behind_bus(iommu->vg);
    iommu->as = as;
    memory_listener_register(&iommu->listener, as);
}

bool vram_iommu_answers(VramIommu *iommu, hwaddr address)
{
    const Stretch *stretch;

    vram_iommu_look(iommu);
    QLIST_FOREACH(stretch, &iommu->stretches, next)
    {
        if (address >= stretch->first && address <= stretch->last)
            return true;
    }
    return false;
}

VramIommu *vram_iommu_new(VramGPU *vg)
{
    VramIommu *iommu = g_new0(VramIommu, 1);

    iommu->vg = vg;
    iommu->listener =
        (MemoryListener){.name = "vramlink-iommu", .region_add = region_add, .region_del = region_del};
    return iommu;
}

void vram_iommu_free(VramIommu *iommu)
{
    if (iommu->as)
        memory_listener_unregister(&iommu->listener);
    g_free(iommu);
}
