/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-gpu-vram-pci: the PCI function around the device.
 */
#include "hw/qemu/vram-gpu.h"

#include "hw/virtio/virtio-gpu-pci.h"

typedef struct VramGPUPCI {
    VirtIOGPUPCIBase parent_obj;
    VramGPU vdev;
} VramGPUPCI;

DECLARE_INSTANCE_CHECKER(VramGPUPCI, VRAM_GPU_PCI, TYPE_VRAM_GPU_PCI)

static void instance_init(Object *obj)
{
    VramGPUPCI *dev = VRAM_GPU_PCI(obj);

    virtio_instance_init_common(obj, &dev->vdev, sizeof(dev->vdev), TYPE_VRAM_GPU);
    VIRTIO_GPU_PCI_BASE(obj)->vgpu = VIRTIO_GPU_BASE(&dev->vdev);
}

static void class_init(ObjectClass *klass, VRAMLINK_CLASS_DATA *data)
{
    DEVICE_CLASS(klass)->hotpluggable = true;
    vram_add_stats_properties(klass);
    vram_add_show_mapped_property(klass);
}

void vram_pci_register(void)
{
    static const VirtioPCIDeviceTypeInfo info = {
        .generic_name = TYPE_VRAM_GPU_PCI,
        .parent = TYPE_VIRTIO_GPU_PCI_BASE,
        .instance_size = sizeof(VramGPUPCI),
        .instance_init = instance_init,
        .class_init = class_init,
    };

    virtio_pci_types_register(&info);
}
