/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The property show-mapped: consoles get a surface over the CPU's view also where a dma-buf could be had.
 *
 * For a display in another process that cannot use the dma-buf, which D-Bus has no word for: its user, or the
 * display itself over QMP (qom-set), asks for the mapped picture instead. QEMU then makes a texture of it,
 * and what the display receives is a dma-buf of that texture, which it can map. Set at any time; what is on
 * the screen is shown again.
 */
#include "hw/qemu/deferred.h"

static bool get_show_mapped(Object *obj, Error **errp)
{
    return vram_gpu_of(obj)->show_mapped;
}

static void set_show_mapped(Object *obj, bool on, Error **errp)
{
    VramGPU *vg = vram_gpu_of(obj);

    if (vg->show_mapped == on)
        return;
    vg->show_mapped = on;
    if (!vg->table)
        return; /* not realized: nothing is shown yet */
    vram_deferred_run(vg);
    vg->slice_end = 0; /* what takes long is left to the next turns */
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (vrl_table_is_backed(vg->table, vg->scanout[i].id))
            vram_scanout_restore(vg, vg->scanout[i].id);
    }
}

void vram_add_show_mapped_property(ObjectClass *klass)
{
    object_class_property_add_bool(klass, VRAM_SHOW_MAPPED_PROPERTY, get_show_mapped, set_show_mapped);
    object_class_property_set_description(klass, VRAM_SHOW_MAPPED_PROPERTY,
                                          "show blobs through the CPU's view, for a display that cannot use "
                                          "their dma-bufs; may be set while the VM runs");
}
