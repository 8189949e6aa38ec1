/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The machine's PCI devices, as its guest sees them: config space, BARs, bridges, hot-unplug.
 */
#include "vm_parts.h"

#include "standard-headers/linux/pci_regs.h"

#define ACPI_PCI_DOWN 0xae04
#define ACPI_PCI_EJECT 0xae08
#define ACPI_PCI_BUS 0xae10

struct vm_pci *vm_pci_open(struct vm *vm, unsigned int slot)
{
    QPCIDevice *dev = qpci_device_find(vm->bus, QPCI_DEVFN(slot, 0));

    if (!dev)
        return NULL;
    struct vm_pci *pci = g_new0(struct vm_pci, 1);
    pci->dev = dev;
    g_ptr_array_add(vm->opened, dev);
    g_ptr_array_add(vm->opened, pci);
    return pci;
}

bool vm_pci_present(struct vm *vm, unsigned int slot)
{
    QPCIDevice *dev = qpci_device_find(vm->bus, QPCI_DEVFN(slot, 0));

    g_free(dev);
    return dev;
}

uint64_t vm_pci_map_bar(struct vm_pci *pci, int bar, uint64_t *size)
{
    return qpci_iomap(pci->dev, bar, size).addr;
}

void vm_pci_move_bar(struct vm_pci *pci, int bar, uint64_t address)
{
    qpci_config_writel(pci->dev, (uint8_t)(PCI_BASE_ADDRESS_0 + 4 * bar), (uint32_t)address);
}

uint16_t vm_pci_command(struct vm_pci *pci)
{
    return qpci_config_readw(pci->dev, PCI_COMMAND);
}

void vm_pci_set_command(struct vm_pci *pci, uint16_t command)
{
    qpci_config_writew(pci->dev, PCI_COMMAND, command);
}

uint8_t vm_pci_find_capability(struct vm_pci *pci, uint8_t id)
{
    return qpci_find_capability(pci->dev, id, 0);
}

uint16_t vm_pci_config_readw(struct vm_pci *pci, uint8_t offset)
{
    return qpci_config_readw(pci->dev, offset);
}

uint32_t vm_pci_config_readl(struct vm_pci *pci, uint8_t offset)
{
    return qpci_config_readl(pci->dev, offset);
}

void vm_pci_config_writew(struct vm_pci *pci, uint8_t offset, uint16_t value)
{
    qpci_config_writew(pci->dev, offset, value);
}

void vm_pci_config_writel(struct vm_pci *pci, uint8_t offset, uint32_t value)
{
    qpci_config_writel(pci->dev, offset, value);
}

void vm_pci_open_bridge(struct vm_pci *port)
{
    const uint16_t first = 0xe000, last = 0xfeb0; /* of 64 KiB */

    qpci_config_writew(port->dev, PCI_PRIMARY_BUS, 0x0100); /* bus 0 to bus 1 */
    qpci_config_writeb(port->dev, PCI_SUBORDINATE_BUS, 1);
    qpci_config_writew(port->dev, PCI_MEMORY_BASE, first);
    qpci_config_writew(port->dev, PCI_MEMORY_LIMIT, last);
    qpci_config_writew(port->dev, PCI_PREF_MEMORY_BASE, first);
    qpci_config_writew(port->dev, PCI_PREF_MEMORY_LIMIT, last);
    qpci_config_writel(port->dev, PCI_PREF_BASE_UPPER32, 0);
    qpci_config_writel(port->dev, PCI_PREF_LIMIT_UPPER32, 0);
    qpci_config_writew(port->dev, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void vm_pci_reset_bus(struct vm_pci *port)
{
    const uint16_t control = qpci_config_readw(port->dev, PCI_BRIDGE_CONTROL);

    qpci_config_writew(port->dev, PCI_BRIDGE_CONTROL, control | PCI_BRIDGE_CTL_BUS_RESET);
    qpci_config_writew(port->dev, PCI_BRIDGE_CONTROL, control);
}

bool vm_pci_eject_asked(struct vm *vm, unsigned int slot)
{
    return qtest_inl(vm->qts, ACPI_PCI_DOWN) & 1u << slot;
}

void vm_pci_select_bus(struct vm *vm, unsigned int bus)
{
    qtest_outl(vm->qts, ACPI_PCI_BUS, bus);
}

void vm_pci_eject(struct vm *vm, unsigned int slot)
{
    qtest_outl(vm->qts, ACPI_PCI_EJECT, 1u << slot);
}
