/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * For the QEMU that runs the lab: devices with an Advanced Features capability, whose function level reset
 * the lab's kernel carries out as it does a real device's. No device of QEMU's own has it.
 *
 *   nvme-af            as nvme, which has PCI Express's reset as well: Linux takes that first (reset_method)
 *   ivshmem-plain-af   as ivshmem-plain: this is its only function level reset
 *
 * A plugin only in order to be loaded; it fits the one QEMU that it was built for, and does not check that.
 * Source of the rule: PCI ECN "Advanced Capabilities for Conventional PCI", 2006 (Linux: pci_af_flr()).
 */
#include "qemu/osdep.h"

#include "hw/pci/pci_device.h"
#include "standard-headers/linux/pci_regs.h"

#include <qemu-plugin.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static PCIDeviceClass *parent_of(PCIDevice *dev)
{
    return PCI_DEVICE_CLASS(object_class_get_parent(OBJECT_CLASS(PCI_DEVICE_GET_CLASS(dev))));
}

static void af_realize(PCIDevice *dev, Error **errp)
{
    ERRP_GUARD();

    parent_of(dev)->realize(dev, errp);
    if (*errp)
        return;
    const int at = pci_add_capability(dev, PCI_CAP_ID_AF, 0, PCI_CAP_AF_SIZEOF, errp);
    if (at < 0)
        return;
    dev->config[at + PCI_AF_LENGTH] = PCI_CAP_AF_SIZEOF;
    dev->config[at + PCI_AF_CAP] = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
}

/* The control byte reads as zero: nothing of it is kept. */
static void af_config_write(PCIDevice *dev, uint32_t address, uint32_t value, int length)
{
    PCIDeviceClass *parent = parent_of(dev);
    const uint32_t control = pci_find_capability(dev, PCI_CAP_ID_AF) + PCI_AF_CTRL;

    if (parent->config_write)
        parent->config_write(dev, address, value, length);
    else
        pci_default_write_config(dev, address, value, length);
    if (control >= address && control < address + (uint32_t)length &&
        (value >> (8 * (control - address)) & PCI_AF_CTRL_FLR))
        pci_device_reset(dev);
}

static void af_class_init(ObjectClass *oc, void *data)
{
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(oc);

    (void)data;
    pc->realize = af_realize;
    pc->config_write = af_config_write;
}

static const TypeInfo af_types[] = {
    {.name = "nvme-af", .parent = "nvme", .class_init = af_class_init},
    {.name = "ivshmem-plain-af", .parent = "ivshmem-plain", .class_init = af_class_init},
};

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    (void)id;
    (void)info;
    (void)argv;
    if (argc > 0)
        return -1;
    type_register_static_array(af_types, ARRAY_SIZE(af_types));
    return 0;
}
