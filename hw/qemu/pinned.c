/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Guest RAM that a dma-buf has pinned.
 *
 * A dma-buf of guest RAM (udmabuf) keeps its pages. When QEMU gives such a page back to the host, as the
 * balloon does, the guest gets another one, and the host pays for both. So while a dma-buf of ours has guest
 * RAM, nothing of it is given back that way: the balloon inflates without effect, as it does beside VFIO
 * devices. virtio-mem asks its listeners first (regions.c).
 */
#include "hw/qemu/vram-gpu.h"

#include "exec/memory.h"

void vram_pinned_update(VramGPU *vg)
{
    const bool pins = vg->table && vrl_table_bytes_pinned(vg->table) > 0;

    if (pins == vg->pins_ram)
        return;
    if (ram_block_uncoordinated_discard_disable(pins) == 0)
        vg->pins_ram = pins;
    else
        vrl_table_warn(
            vg->table,
            "QEMU gives guest RAM back to the host on its own: pages that a display has imported may be "
            "kept beside it");
}
