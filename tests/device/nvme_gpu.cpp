// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/nvme_gpu.hpp"

#include <linux/pci_regs.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vramlink::test {

namespace {

constexpr int registers_bar = 0, memory_bar = 4;
constexpr std::uint64_t registers_home = 0xc7000000;
constexpr std::uint32_t configuration = 0x14, queue_entry_size = 6 << 16; // NVM Express 1.4, 3.1.5
constexpr std::uint16_t d3hot = 3;
constexpr unsigned behind = 1; ///< its slot on the bridge's bus

std::uint8_t capability(vm_pci *pci, std::uint8_t id, unsigned offset)
{
    return static_cast<std::uint8_t>(vm_pci_find_capability(pci, id) + offset);
}

} // namespace

std::string NvmeGpu::host()
{
    const char *host = std::getenv("VRAMLINK_VFIO_FLR");
    return host != nullptr ? host : "";
}

bool NvmeGpu::driver_tells()
{
    const auto driver = std::filesystem::canonical("/sys/bus/pci/devices/" + host() + "/driver");
    return driver.filename() == "vfio-pci-vram";
}

int NvmeGpu::reset_by_host()
{
    std::ofstream file("/sys/bus/pci/devices/" + host() + "/reset");
    errno = 0;
    file << "1" << std::flush;
    return file.good() ? 0 : errno;
}

std::string NvmeGpu::device(At at)
{
    if (at == At::BehindBridge)
        return " -device pci-bridge,id=bridge,chassis_nr=1,shpc=off,addr=" + std::to_string(slot) +
               " -device vfio-pci,id=gpu,host=" + host() + ",bus=bridge,addr=" + std::to_string(behind);
    return " -device vfio-pci,id=gpu,host=" + host() + ",addr=" + std::to_string(slot);
}

NvmeGpu::NvmeGpu(Machine &machine, At at) : machine_(machine), at_(at)
{
    // libqos knows one bus; what it calls a slot is the upper part of "bus, slot, function".
    constexpr unsigned slots_of_a_bus = 32;
    if (at == At::BehindBridge) {
        bridge_ = vm_pci_open(machine.raw(), slot);
        open_bridge();
    }
    pci_ = vm_pci_open(machine.raw(), at == At::BehindBridge ? slots_of_a_bus + behind : slot);
    power_up();
}

/// Bus 1, and windows for what power_up() and move_away() put there.
void NvmeGpu::open_bridge()
{
    const auto window = [this](std::uint8_t at, std::uint64_t first, std::uint64_t last) {
        vm_pci_config_writew(bridge_, at, static_cast<std::uint16_t>(first >> 16 & PCI_MEMORY_RANGE_MASK));
        vm_pci_config_writew(bridge_, static_cast<std::uint8_t>(at + 2),
                             static_cast<std::uint16_t>(last >> 16 & PCI_MEMORY_RANGE_MASK));
    };
    constexpr std::uint16_t primary_0_secondary_1 = 0x0100, subordinate_1 = 1;
    vm_pci_config_writew(bridge_, PCI_PRIMARY_BUS, primary_0_secondary_1);
    vm_pci_config_writew(bridge_, PCI_SUBORDINATE_BUS, subordinate_1);
    window(PCI_MEMORY_BASE, registers_home, elsewhere + size - 1);
    window(PCI_PREF_MEMORY_BASE, home, home + size - 1);
    vm_pci_set_command(bridge_, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void NvmeGpu::enable_memory(Machine &machine, std::uint64_t registers)
{
    constexpr std::uint32_t pmr_control = 0xe04, pmr_enable = 1; // NVM Express 1.4, 3.1.16
    machine.write(registers + pmr_control, {pmr_enable});
}

void NvmeGpu::configure(Machine &machine, std::uint64_t registers)
{
    machine.write(registers + configuration, {queue_entry_size});
}

bool NvmeGpu::configured(Machine &machine, std::uint64_t registers)
{
    std::uint32_t value = 0;
    vm_read(machine.raw(), registers + configuration, &value, sizeof(value));
    return value == queue_entry_size;
}

void NvmeGpu::power_up()
{
    if (at_ == At::BehindBridge) // which a reset of the machine has closed
        open_bridge();
    const auto command = vm_pci_command(pci_);
    vm_pci_set_command(pci_, static_cast<std::uint16_t>(command & ~PCI_COMMAND_MEMORY));
    for (const auto &[bar, address] : {std::pair{registers_bar, registers_home}, {memory_bar, home}}) {
        vm_pci_move_bar(pci_, bar, address);
        vm_pci_move_bar(pci_, bar + 1, 0); // the upper half
    }
    vm_pci_set_command(pci_, static_cast<std::uint16_t>(command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
    enable_memory(machine_, registers_home);
}

NvmeGpu::ConfigWrite NvmeGpu::writes_memory_off() const
{
    return {PCI_COMMAND, static_cast<std::uint16_t>(vm_pci_command(pci_) & ~PCI_COMMAND_MEMORY)};
}

NvmeGpu::ConfigWrite NvmeGpu::writes_sleep() const
{
    return {capability(pci_, PCI_CAP_ID_PM, PCI_PM_CTRL), d3hot};
}

NvmeGpu::ConfigWrite NvmeGpu::writes_reset_function() const
{
    const auto at = capability(pci_, PCI_CAP_ID_EXP, PCI_EXP_DEVCTL);
    return {at, static_cast<std::uint16_t>(vm_pci_config_readw(pci_, at) | PCI_EXP_DEVCTL_BCR_FLR)};
}

void NvmeGpu::write(ConfigWrite what)
{
    vm_pci_config_writew(pci_, what.at, what.value);
}

void NvmeGpu::memory_off()
{
    write(writes_memory_off());
}

void NvmeGpu::sleep()
{
    write(writes_sleep());
}

void NvmeGpu::wake()
{
    vm_pci_config_writew(pci_, capability(pci_, PCI_CAP_ID_PM, PCI_PM_CTRL), 0);
}

void NvmeGpu::reset_function()
{
    write(writes_reset_function());
}

void NvmeGpu::move_away()
{
    vm_pci_move_bar(pci_, memory_bar, elsewhere);
}

void NvmeGpu::reset_bus()
{
    vm_pci_reset_bus(bridge_);
}

void NvmeGpu::unplug()
{
    machine_.qmp({{"execute", "device_del"}, {"arguments", {{"id", "gpu"}}}});
    vm_pci_select_bus(machine_.raw(), at_ == At::BehindBridge ? 1 : 0);
    vm_pci_eject(machine_.raw(), at_ == At::BehindBridge ? behind : slot);
    vm_wait_event(machine_.raw(), "DEVICE_DELETED");
}

void NvmeGpu::plug()
{
    Json arguments{{"driver", "vfio-pci"}, {"id", "gpu"}, {"host", host()}};
    arguments["addr"] = std::to_string(at_ == At::BehindBridge ? behind : slot);
    if (at_ == At::BehindBridge)
        arguments["bus"] = "bridge";
    machine_.qmp({{"execute", "device_add"}, {"arguments", arguments}});
}

} // namespace vramlink::test
