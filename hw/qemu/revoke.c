/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/revoke.h"

#include "hw/qemu/main-loop.h"
#include "hw/qemu/migrate.h"

static void tell_guest(VramGPU *vg)
{
    VirtIOGPUBase *base = VIRTIO_GPU_BASE(vg);

    if (DEVICE(base)->realized) { /* not unplugged since */
        base->virtio_config.events_read |= VIRTIO_GPU_EVENT_DISPLAY;
        virtio_notify_config(VIRTIO_DEVICE(base));
    }
}

void vram_after_revocation(VramGPU *vg, uint32_t revoked)
{
    if (!revoked)
        return;
    vram_migration_update(vg);
    vram_pinned_update(vg);
    vram_bh_once_for(vg, tell_guest);
}

void vram_revoke_addresses(VramGPU *vg, hwaddr first, hwaddr last)
{
    vram_after_revocation(
        vg, vrl_table_revoke_addresses(vg->table, first, last,
                                       "the guest's IOMMU no longer maps the memory for the device"));
}

void vram_revoke_range(VramGPU *vg, uint64_t region_id, uint64_t first, uint64_t last)
{
    vram_after_revocation(
        vg, vrl_table_revoke_range(vg->table, region_id, first, last, "the guest has given the memory back"));
}

void vram_revoke_device(VramGPU *vg, int device_fd, const char *why)
{
    vram_after_revocation(vg, vrl_table_revoke_device(vg->table, device_fd, why));
}

void vram_revoke_reported(VramGPU *vg, int device_fd, const char *why)
{
    vram_after_revocation(vg, vrl_table_revoke_reported(vg->table, device_fd, why));
}

void vram_revoke_lost(VramGPU *vg, const char *why)
{
    vram_after_revocation(vg, vrl_table_revoke_lost(vg->table, why));
}
