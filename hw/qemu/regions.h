/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which memory lies behind a guest address, and when it goes away.
 *
 * Thread: as in vram-gpu.h.
 */
#ifndef VRAMLINK_QEMU_REGIONS_H
#define VRAMLINK_QEMU_REGIONS_H

#include "hw/qemu/vram-gpu.h"

/* --- regions.c */
VramRegions *vram_regions_new(VramGPU *vg);
void vram_regions_free(VramRegions *regions);
enum vrl_translate_result vram_regions_translate(void *opaque, uint64_t gpa, uint64_t length,
                                                 struct vrl_piece *piece);

/* --- iommu.c: which addresses of the device an IOMMU translates, and what it takes away. */
VramIommu *vram_iommu_new(VramGPU *vg);
void vram_iommu_free(VramIommu *iommu);
bool vram_iommu_answers(VramIommu *iommu, hwaddr address);
/* Looks which IOMMUs there are, and warns of one that tells nothing. */
void vram_iommu_look(VramIommu *iommu);

/* --- vfio.c: true when @mr is (a piece of) a BAR that a VFIO device maps. Fills @region but for its id and
 * name, and the place of @mr in the BAR. */
bool vram_vfio_describe(MemoryRegion *mr, struct vrl_region *region, uint64_t *offset_in_bar, char **name);

#endif
