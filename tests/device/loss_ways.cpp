// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/loss_ways.hpp"

#include <linux/pci_regs.h>

#include <ostream>

namespace vramlink::test {
namespace {

constexpr std::uint64_t elsewhere = 0xc0000000; ///< nothing else answers there

void sleep_d3(Stage &stage)
{
    const auto at =
        static_cast<std::uint8_t>(vm_pci_find_capability(stage.memory.pci, PCI_CAP_ID_PM) + PCI_PM_CTRL);
    vm_pci_config_writew(stage.memory.pci, at, 3);
    vm_pci_config_writew(stage.memory.pci, at, 0);
}

void reset_function(Stage &stage)
{
    const auto at =
        static_cast<std::uint8_t>(vm_pci_find_capability(stage.memory.pci, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL);
    vm_pci_config_writew(
        stage.memory.pci, at,
        static_cast<std::uint16_t>(vm_pci_config_readw(stage.memory.pci, at) | PCI_EXP_DEVCTL_BCR_FLR));
}

/// Control and status, one byte each.
void reset_advanced(Stage &stage)
{
    const auto af = vm_pci_find_capability(stage.memory.pci, PCI_CAP_ID_AF);
    ASSERT_NE(af, 0) << "the device has no Advanced Features capability";
    vm_pci_config_writew(stage.memory.pci, static_cast<std::uint8_t>(af + PCI_AF_CTRL), PCI_AF_CTRL_FLR);
}

/// What a virtual function does in one write: gone and back at once, with the memory as it is then.
void glitch(Stage &stage)
{
    stage.decode(false);
    stage.decode(true);
}

/// Those that share a QEMU follow each other. HotReset has an environment and so a QEMU of its own: whether
/// the kernel can reset the function is asked when QEMU opens it.
const std::vector<LossWay> ways = {
    {"MemoryDecodingOff", [](Stage &stage) { stage.decode(false); }, "config 0x4 ", "decoding"},
    {"Glitch", glitch, "config 0x4 ", "decoding"},
    {"D3", sleep_d3, "config ", "D3"},
    {"BarMoved", [](Stage &stage) { vm_pci_move_bar(stage.memory.pci, Stage::memory_bar, elsewhere); },
     "config ", "moved a BAR"},
    {.name = "FunctionLevelReset",
     .lose = reset_function,
     .asked = "config ",
     .why = "FLR",
     .host_resets = "flr",
     .resets = true},
    {.name = "AdvancedFeaturesReset",
     .lose = reset_advanced,
     .asked = "config ",
     .why = "FLR",
     .host_resets = "af_flr",
     .resets = true},
    {"MachineReset", [](Stage &stage) { vm_reset(stage.machine.raw()); }, "reset ", nullptr},
    {"GuestReboots", [](Stage &stage) { vm_reboot(stage.machine.raw()); }, "reset ", nullptr},
    {"SecondaryBusReset",
     [](Stage &stage) { vm_pci_reset_bus(stage.port); },
     "reset ",
     "the device was reset",
     {.root_port = true}},
    {"HotReset",
     [](Stage &stage) { vm_pci_reset_bus(stage.port); },
     "hot-reset ",
     "the device was reset",
     {.root_port = true, .environment = "VRAMLINK_TEST_HOST_RESETS=none"},
     ""},
};

} // namespace

void PrintTo(const LossWay &way, std::ostream *out)
{
    *out << way.name;
}

const std::vector<LossWay> &loss_ways()
{
    return ways;
}

HostResets::HostResets(const char *method) : chosen_(method != nullptr)
{
    if (chosen_) {
        EXPECT_EQ(write_sysfs(file(), std::string(method) + "\n"), 0) << file() << ": " << method;
    }
}

HostResets::~HostResets()
{
    if (chosen_) {
        EXPECT_EQ(write_sysfs(file(), "default\n"), 0);
    }
}

} // namespace vramlink::test
