/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-vga-vram: the same device as a VGA-compatible PCI function, for firmware and boot loaders.
 */
#include "hw/qemu/parent.h"

#include "hw/display/virtio-vga.h"
#include "qemu/error-report.h"

typedef struct VramVGA {
    VirtIOVGABase parent_obj;
    VramGPU vdev;
} VramVGA;

DECLARE_INSTANCE_CHECKER(VramVGA, VRAM_VGA, TYPE_VRAM_VGA)

static void instance_init(Object *obj)
{
    VramVGA *dev = VRAM_VGA(obj);

    virtio_instance_init_common(obj, &dev->vdev, sizeof(dev->vdev), TYPE_VRAM_GPU);
    VIRTIO_VGA_BASE(obj)->vgpu = VIRTIO_GPU_BASE(&dev->vdev);
}

static void class_init(ObjectClass *klass, VRAMLINK_CLASS_DATA *data)
{
    vram_add_stats_properties(klass);
    vram_add_show_mapped_property(klass);
}

/* Leaves the type out, with a note, where the distribution has not installed QEMU's VGA module. */
void vram_vga_register(void)
{
    static const VirtioPCIDeviceTypeInfo info = {
        .generic_name = TYPE_VRAM_VGA,
        .parent = "virtio-vga-base",
        .instance_size = sizeof(VramVGA),
        .instance_init = instance_init,
        .class_init = class_init,
    };

    if (!vram_have_type("virtio-vga-base")) {
        info_report("vramlink: QEMU's virtio-vga module is not installed: no " TYPE_VRAM_VGA);
        return;
    }
    virtio_pci_types_register(&info);
}
