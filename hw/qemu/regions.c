/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which memory lies behind a guest address, and when it goes away.
 *
 * Translation goes through the device's own DMA address space, vIOMMU included, one stretch at a time, of
 * which the last is remembered until the memory map changes; dma_memory_map() would send every BAR through a
 * bounce buffer. No reference on a memory region outlives a translation: a guest that never lets go of a blob
 * must not keep an unplugged device open. Instead a listener on the guest's physical memory revokes the blobs
 * of a region in the same transaction that takes it away or moves it, while its fd and its host pointer are
 * still good. Parts of RAM that the guest gives back (virtio-mem) are revoked before QEMU discards them.
 */
#include "hw/qemu/regions.h"
#include "hw/qemu/deferred.h"
#include "hw/qemu/main-loop.h"
#include "hw/qemu/revoke.h"
#include "hw/qemu/watch.h"

#include "exec/address-spaces.h"
#include "exec/memory-internal.h"
#include "exec/memory.h"
#include "exec/ramblock.h"
#include "qemu/rcu.h"

/* A memory region of QEMU's that translation has met, and its place in the region that the heart knows. */
typedef struct Memory {
    MemoryRegion *mr; /* not referenced: gone from here before it can be freed */
    uint64_t offset;  /* of its first byte in the region */
    hwaddr base;      /* guest physical address of its first byte */
    bool mapped;      /* base is valid */
    bool stale;       /* the running transaction took a piece of it away */
    struct vrl_region region;
    char *name;
    VramRegions *regions;
    RamDiscardManager *discards; /* NULL: all of it is always there */
    RamDiscardListener discard_listener;
} Memory;

/* Device addresses behind which one memory region answers by itself. */
typedef struct Stretch {
    const Memory *memory;
    hwaddr first;
    uint64_t length;
    uint64_t offset; /* of the first byte in the region that the heart knows */
} Stretch;

struct VramRegions {
    VramGPU *vg;
    GHashTable *memories; /* MemoryRegion * -> Memory * */
    Memory *last;         /* neighbours in a list mostly lie in the same memory */
    Stretch known;        /* found last, and as it was then: a change of the memory map drops it */
    bool any_stale;
    MemoryListener listener;
};

/* Region ids are never reused while the process lives. */
static uint64_t new_region_id(void)
{
    static uint64_t last_id;

    return ++last_id;
}

static void memory_free(gpointer opaque)
{
    Memory *memory = opaque;

    if (memory->discards)
        ram_discard_manager_unregister_listener(memory->discards, &memory->discard_listener);
    g_free(memory->name);
    g_free(memory);
}

/* Where the guest sees the first byte of a memory region; the lowest place when there are several. */
struct find_base {
    const MemoryRegion *mr;
    hwaddr base;
    bool found;
};

static bool find_base_cb(Int128 start, Int128 len, const MemoryRegion *mr, hwaddr offset_in_region,
                         void *opaque)
{
    struct find_base *find = opaque;

    if (mr != find->mr)
        return false;
    find->base = int128_getlo(start) - offset_in_region;
    find->found = true;
    return true;
}

static struct find_base guest_base(const MemoryRegion *mr)
{
    struct find_base find = {.mr = mr};

    RCU_READ_LOCK_GUARD();
    flatview_for_each_range(address_space_to_flatview(&address_space_memory), find_base_cb, &find);
    return find;
}

/* The id of a BAR that is already known through another of its pieces; 0 for none. */
static uint64_t known_bar_id(VramRegions *regions, const struct vrl_region *region)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, regions->memories);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Memory *memory = value;

        if (memory->region.kind == VRL_REGION_VFIO_BAR && memory->region.fd == region->fd &&
            memory->region.index == region->index)
            return memory->region.id;
    }
    return 0;
}

static void describe_ram(Memory *memory)
{
    MemoryRegion *mr = memory->mr;
    const RAMBlock *block = mr->ram_block;
    bool can_map = block->fd >= 0 && (block->flags & RAM_SHARED) && !memory_region_is_ram_device(mr);

    memory->region = (struct vrl_region){
        .kind = can_map ? VRL_REGION_SHARED_RAM : VRL_REGION_PRIVATE_RAM,
        .fd = can_map ? block->fd : -1,
        .size = memory_region_size(mr),
        .map_offset = can_map ? block->fd_offset : 0,
        .host = memory_region_get_ram_ptr(mr),
    };
    memory->name = g_strdup_printf("RAM %s", memory_region_name(mr));
}

/* The guest has given a part of it back, and QEMU is about to discard it. */
static void discarded(RamDiscardListener *listener, MemoryRegionSection *section)
{
    const Memory *memory = container_of(listener, Memory, discard_listener);
    const uint64_t first = memory->offset + section->offset_within_region;

    vram_revoke_range(memory->regions->vg, memory->region.id, first, first + int128_get64(section->size) - 1);
}

static int populated(RamDiscardListener *listener, MemoryRegionSection *section)
{
    return 0;
}

static void listen_to_discards(Memory *memory)
{
    MemoryRegionSection all = {
        .mr = memory->mr,
        .size = int128_make64(memory_region_size(memory->mr)),
    };

    memory->discards = memory_region_get_ram_discard_manager(memory->mr);
    if (!memory->discards)
        return;
    ram_discard_listener_init(&memory->discard_listener, populated, discarded, true);
    ram_discard_manager_register_listener(memory->discards, &memory->discard_listener, &all);
}

static bool is_there(const Memory *memory, hwaddr offset, uint64_t length)
{
    const MemoryRegionSection section = {
        .mr = memory->mr,
        .offset_within_region = offset,
        .size = int128_make64(length),
    };

    return !memory->discards || ram_discard_manager_is_populated(memory->discards, &section);
}

static Memory *memory_new(VramRegions *regions, MemoryRegion *mr)
{
    Memory *memory = g_new0(Memory, 1);
    struct find_base place = guest_base(mr);

    memory->mr = mr;
    memory->regions = regions;
    memory->base = place.base;
    memory->mapped = place.found;
    if (vram_vfio_describe(mr, &memory->region, &memory->offset, &memory->name)) {
        memory->region.id = known_bar_id(regions, &memory->region);
        vram_watch_device(memory_region_owner(mr));
    } else {
        describe_ram(memory);
    }
    if (!memory->region.id)
        memory->region.id = new_region_id();
    memory->region.name = memory->name;
    listen_to_discards(memory);
    g_hash_table_insert(regions->memories, mr, memory);
    return memory;
}

static Memory *memory_of(VramRegions *regions, MemoryRegion *mr)
{
    if (regions->last && regions->last->mr == mr)
        return regions->last;
    regions->last = g_hash_table_lookup(regions->memories, mr);
    if (!regions->last)
        regions->last = memory_new(regions, mr);
    return regions->last;
}

/* The stretch of a device's address space around an address, when a memory region answers there by itself. */
struct find_stretch {
    const MemoryRegion *mr;
    hwaddr address;
    uint64_t before; /* bytes of the stretch before the address */
};

static bool find_stretch_cb(Int128 start, Int128 length, const MemoryRegion *mr, hwaddr offset_in_region,
                            void *opaque)
{
    struct find_stretch *find = opaque;
    const Int128 into = int128_sub(int128_make64(find->address), start);

    if (int128_lt(into, int128_zero()) || !int128_lt(into, length))
        return false;
    if (mr == find->mr)
        find->before = int128_getlo(into);
    return true;
}

static void remember_stretch(VramRegions *regions, AddressSpace *as, const Memory *memory, hwaddr gpa,
                             const struct vrl_piece *piece)
{
    struct find_stretch find = {.mr = memory->mr, .address = gpa};

    flatview_for_each_range(address_space_to_flatview(as), find_stretch_cb, &find);
    regions->known = (Stretch){.memory = memory,
                               .first = gpa - find.before,
                               .length = find.before + piece->length,
                               .offset = piece->offset - find.before};
}

static bool translate_known(const VramRegions *regions, hwaddr gpa, struct vrl_piece *piece)
{
    const Stretch *known = &regions->known;
    uint64_t into = gpa - known->first;

    if (into >= known->length)
        return false;
    *piece = (struct vrl_piece){.region = &known->memory->region,
                                .offset = known->offset + into,
                                .length = known->length - into,
                                .before = into};
    return true;
}

enum vrl_translate_result vram_regions_translate(void *opaque, uint64_t gpa, uint64_t length,
                                                 struct vrl_piece *piece)
{
    VramGPU *vg = opaque;
    VramRegions *regions = vg->regions;
    AddressSpace *as = VIRTIO_DEVICE(vg)->dma_as;
    const bool iommu = vram_iommu_answers(vg->iommu, gpa);
    hwaddr xlat, len = iommu ? length : UINT64_MAX - gpa;
    const Memory *memory;
    MemoryRegion *mr;

    if (!iommu && translate_known(regions, gpa, piece))
        return VRL_TRANSLATE_OK;
    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(as, gpa, &xlat, &len, false, MEMTXATTRS_UNSPECIFIED);
    if (!memory_region_is_ram(mr))
        return mr->ops == &unassigned_mem_ops ? VRL_TRANSLATE_UNMAPPED : VRL_TRANSLATE_NOT_RAM;
    memory = memory_of(regions, mr);
    if (memory->discards) { /* what is there changes: nothing of it is remembered */
        len = MIN(len, length);
        if (!is_there(memory, xlat, len))
            return VRL_TRANSLATE_UNMAPPED;
    }
    *piece = (struct vrl_piece){
        .region = &memory->region, .offset = memory->offset + xlat, .length = len, .iommu = iommu};
    if (!iommu && !memory->discards) {
        remember_stretch(regions, as, memory, gpa, piece);
        translate_known(regions, gpa, piece);
    }
    return VRL_TRANSLATE_OK;
}

/* Of any address space: the device's own may change without the guest's physical memory. */
static void begin(MemoryListener *listener)
{
    container_of(listener, VramRegions, listener)->known = (Stretch){0};
}

static void region_del(MemoryListener *listener, MemoryRegionSection *section)
{
    VramRegions *regions = container_of(listener, VramRegions, listener);
    Memory *memory = g_hash_table_lookup(regions->memories, section->mr);

    if (memory) {
        memory->stale = true;
        regions->any_stale = true;
    }
}

/* A change of the memory map takes sections away and puts them back when it only splits or joins them: gone
 * is what cannot be found where it was. */
static bool still_there(const Memory *memory)
{
    struct find_base now = guest_base(memory->mr);

    return now.found && memory->mapped && now.base == memory->base;
}

static gboolean has_region_id(gpointer key, gpointer value, gpointer opaque)
{
    return ((const Memory *)value)->region.id == *(const uint64_t *)opaque;
}

static uint64_t next_gone_region(VramRegions *regions)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, regions->memories);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Memory *memory = value;

        if (!memory->stale)
            continue;
        memory->stale = false;
        if (!still_there(memory))
            return memory->region.id;
    }
    return 0;
}

static void keep_for_displays(gpointer key, gpointer value, gpointer opaque)
{
    VramRegions *regions = opaque;
    Memory *memory = value;

    if (memory->stale && !still_there(memory))
        vram_defer_region(regions->vg, memory->mr);
}

static void commit(MemoryListener *listener)
{
    VramRegions *regions = container_of(listener, VramRegions, listener);
    uint32_t revoked = 0;
    uint64_t id;

    if (!regions->any_stale)
        return;
    regions->any_stale = false;
    regions->last = NULL;
    regions->known = (Stretch){0};
    if (!vram_on_main_loop())
        g_hash_table_foreach(regions->memories, keep_for_displays, regions);
    while ((id = next_gone_region(regions))) {
        revoked +=
            vrl_table_revoke_region(regions->vg->table, id, "the memory left the guest's address space");
        g_hash_table_foreach_remove(regions->memories, has_region_id, &id);
    }
    vram_after_revocation(regions->vg, revoked);
}

VramRegions *vram_regions_new(VramGPU *vg)
{
    VramRegions *regions = g_new0(VramRegions, 1);

    regions->vg = vg;
    regions->memories = g_hash_table_new_full(NULL, NULL, NULL, memory_free);
    regions->listener =
        (MemoryListener){.name = "vramlink", .begin = begin, .region_del = region_del, .commit = commit};
    memory_listener_register(&regions->listener, &address_space_memory);
    return regions;
}

void vram_regions_free(VramRegions *regions)
{
    memory_listener_unregister(&regions->listener);
    g_hash_table_destroy(regions->memories);
    g_free(regions);
}
