/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Blobs of a device that lose their memory are revoked, and what hangs on them follows.
 *
 * Thread: as in vram-gpu.h.
 */
#ifndef VRAMLINK_QEMU_REVOKE_H
#define VRAMLINK_QEMU_REVOKE_H

#include "hw/qemu/vram-gpu.h"

/* Those that an IOMMU answered for at these addresses. */
void vram_revoke_addresses(VramGPU *vg, hwaddr first, hwaddr last);

/* All that have a byte in this VFIO device's BARs. */
void vram_revoke_device(VramGPU *vg, int device_fd, const char *why);

/* Those that the kernel says it has revoked (vrl_table_revoke_reported()). */
void vram_revoke_reported(VramGPU *vg, int device_fd, const char *why);

/* The guest has given back these bytes of the memory (virtio-mem). */
void vram_revoke_range(VramGPU *vg, uint64_t region_id, uint64_t first, uint64_t last);

/* Those whose view did not answer. */
void vram_revoke_lost(VramGPU *vg, const char *why);

/* The heart has revoked so many: the guest is told, and what depends on the memory of blobs is looked at
 * again. */
void vram_after_revocation(VramGPU *vg, uint32_t revoked);

#endif
