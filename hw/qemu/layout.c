/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The last line of the load guard: QEMU keeps the offset of every device property at run time,
 * so the structures in the headers can be held against those of the running program. A build that
 * passes the guard's stamp but was configured otherwise (an option that adds a member) is found here.
 */
#include "hw/qemu/parent.h"

#include "hw/qdev-properties.h"
#include "hw/vfio/pci.h"
#include "hw/virtio/virtio-gpu-pci.h"
#include "qemu/error-report.h"

struct property_offset {
    const char *type, *property;
    ptrdiff_t offset;
};

static const struct property_offset known_offsets[] = {
    {TYPE_VIRTIO_GPU, "max_outputs", offsetof(VirtIOGPU, parent_obj.conf.max_outputs)},
    {TYPE_VIRTIO_GPU, "max_hostmem", offsetof(VirtIOGPU, conf_max_hostmem)},
    {TYPE_VIRTIO_GPU, "hostmem", offsetof(VirtIOGPU, parent_obj.conf.hostmem)},
    {TYPE_VIRTIO_GPU_GL, "venus", offsetof(VirtIOGPUGL, parent_obj.parent_obj.conf.flags)},
    {TYPE_VIRTIO_GPU_PCI_BASE, "vectors", offsetof(VirtIOGPUPCIBase, parent_obj.nvectors)},
    {TYPE_VFIO_PCI, "host", offsetof(VFIOPCIDevice, host)},
    {TYPE_VFIO_PCI, "sysfsdev", offsetof(VFIOPCIDevice, vbasedev.sysfsdev)},
    {TYPE_VFIO_PCI, "x-no-mmap", offsetof(VFIOPCIDevice, vbasedev.no_mmap)},
    {TYPE_VFIO_PCI, "x-pci-vendor-id", offsetof(VFIOPCIDevice, vendor_id)},
};

static const Property *find_property(ObjectClass *klass, const char *name)
{
    for (; klass && object_class_dynamic_cast(klass, TYPE_DEVICE); klass = object_class_get_parent(klass)) {
        DeviceClass *dc = DEVICE_CLASS(klass);

        for (unsigned i = 0; i < dc->props_count_; i++) {
            if (strcmp(dc->props_[i].name, name) == 0)
                return &dc->props_[i];
        }
    }
    return NULL;
}

static bool offset_fits(const struct property_offset *known)
{
    ObjectClass *klass = object_class_by_name(known->type);
    const Property *property;

    if (!klass) /* a target without VFIO; the 3D module is not loaded yet */
        return true;
    property = find_property(klass, known->property);
    if (property && property->offset == known->offset)
        return true;
    error_report(
        "vramlink: property %s of %s lies at offset %td in this QEMU and at %td in the headers that the "
        "plugin was built with: rebuild the plugin with headers configured as this QEMU was",
        known->property, known->type, property ? (ptrdiff_t)property->offset : -1, known->offset);
    return false;
}

bool vram_layout_check(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(known_offsets); i++) {
        if (!offset_fits(&known_offsets[i]))
            return false;
    }
    return true;
}
