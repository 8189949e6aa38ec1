// SPDX-License-Identifier: GPL-2.0-or-later
//
// Everything by which a guest or its VMM takes a passthrough GPU's memory away, with a viewer on the host's
// display that shows it: consumers have let go of every dma-buf before the kernel is asked (loss_log.c
// looks), and afterwards the next picture is shown.
//
// The "GPU" is an NVMe controller with a persistent memory region (BAR 4), the emulated device that has
// memory, a function level reset and power management.

#include "tests/device/ground.hpp"
#include "tests/device/viewer.hpp"

#include <gtest/gtest.h>

#include <linux/pci_regs.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <ostream>
#include <sstream>

namespace vramlink::test {
namespace {

constexpr unsigned slot = 5;
constexpr int memory_bar = 4;
constexpr std::uint32_t id = 10;
constexpr std::uint64_t elsewhere = 0xc0000000; ///< nothing else answers there

std::string log_path()
{
    return std::filesystem::temp_directory_path() / ("vramlink-loss-" + std::to_string(getpid()) + ".log");
}

std::string nvme()
{
    const char *host = std::getenv("VRAMLINK_VFIO_FLR");
    return host != nullptr ? host : "";
}

Machine::Options options()
{
    return {.devices =
                "-device vfio-pci,id=gpu,host=" + nvme() + ",addr=" + std::to_string(slot) + Viewer::door(),
            .gpu = "virtio-gpu-vram-pci,id=vram0",
            .display = "dbus,p2p=yes,gl=on,rendernode=/dev/dri/renderD128",
            .preload = loss_library(),
            .environment = "VRAMLINK_TEST_LOSS_LOG=" + log_path()};
}

/// A guest's GPU, in a state in which its memory can be used.
struct Stage {
    Stage() { power_up(); }

    /// As a driver does after a reset: decoding on, the memory region on.
    void power_up()
    {
        constexpr std::uint32_t pmr_control = 0xe04;
        constexpr std::uint32_t pmr_enable = 1;
        memory = machine.map_bar(slot, memory_bar);
        const Machine::Bar registers = machine.map_bar(slot, 0);
        machine.write(registers.address + pmr_control, {pmr_enable});
    }
    void show(const Picture &picture)
    {
        const auto entries = scattered(memory.address, picture.pages(), 3);
        put(machine, entries, picture);
        ASSERT_STREQ(answer_name(gpu->create_blob(id, picture.bytes(), entries)), "OK");
        ASSERT_STREQ(answer_name(gpu->set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
        ASSERT_STREQ(answer_name(gpu->flush(id, {0, 0, picture.width, picture.height})), "OK");
        EXPECT_EQ(machine.blob(id)["plan"], "shared") << machine.blob(id).dump();
    }

    Machine machine{options()};
    std::unique_ptr<Gpu> gpu = std::make_unique<Gpu>(machine);
    Machine::Bar memory{};
};

struct Line {
    std::string what;
    int dmabufs;
};

std::vector<Line> logged()
{
    std::ifstream file(log_path());
    std::vector<Line> lines;
    for (std::string line; std::getline(file, line);) {
        std::istringstream backwards(line);
        std::vector<std::string> words{std::istream_iterator<std::string>(backwards), {}};
        if (words.size() >= 3)
            lines.push_back({line, std::stoi(words[words.size() - 2])});
    }
    return lines;
}

struct Way {
    const char *name;
    std::function<void(Stage &)> lose;
    const char *asked; ///< how the line starts that the kernel's loss stands in
    const char *why;   ///< a part of the tombstone's reason; null: no tombstone is left
};

void PrintTo(const Way &way, std::ostream *out)
{
    *out << way.name;
}

void clear_command_memory(Stage &stage)
{
    vm_pci_set_command(stage.memory.pci,
                       static_cast<std::uint16_t>(vm_pci_command(stage.memory.pci) & ~PCI_COMMAND_MEMORY));
}

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

const std::vector<Way> ways = {
    {"MemoryDecodingOff", clear_command_memory, "config 0x4 ", "decoding"},
    {"D3", sleep_d3, "config ", "D3"},
    {"BarMoved", [](Stage &stage) { vm_pci_move_bar(stage.memory.pci, memory_bar, elsewhere); }, "config ",
     "moved a BAR"},
    {"FunctionLevelReset", reset_function, "config ", "FLR"},
    {"MachineReset", [](Stage &stage) { vm_reset(stage.machine.raw()); }, "reset ", nullptr},
};

class VfioLoss : public testing::Test {
  protected:
    void SetUp() override { ASSERT_NE(nvme(), "") << "VRAMLINK_VFIO_FLR names no device"; }
    void TearDown() override { std::filesystem::remove(log_path()); }
};

class VfioLossWays : public VfioLoss, public testing::WithParamInterface<Way> {};

TEST_P(VfioLossWays, ConsumersLetGoBeforeTheKernelIsAsked)
{
    const Way &way = GetParam();
    Stage stage;
    const Viewer viewer;
    ASSERT_TRUE(viewer.shows("neutral"));
    stage.show(paint(Ground::width, Ground::height, 1));
    ASSERT_TRUE(viewer.shows("dmabuf"));
    EXPECT_GE(viewer.stats()["framebuffers_open"], 1) << viewer.stats().dump();

    const std::size_t before = logged().size();
    way.lose(stage);
    const auto lines = logged();
    ASSERT_GT(lines.size(), before) << "nothing was asked of the kernel";
    bool asked = false;
    for (std::size_t i = before; i < lines.size(); i++) {
        EXPECT_EQ(lines[i].dmabufs, 0) << lines[i].what;
        asked |= lines[i].what.starts_with(way.asked);
    }
    EXPECT_TRUE(asked) << way.asked;
    EXPECT_TRUE(viewer.shows("neutral"));
    EXPECT_EQ(stage.machine.held().vfio_dmabufs, 0);
    EXPECT_EQ(held_by(viewer.pid()).vfio_dmabufs, 0);
    const Json blob = stage.machine.blob(id);
    if (way.why) {
        EXPECT_EQ(blob["state"], "revoked");
        EXPECT_NE(blob.value("revoked", "").find(way.why), std::string::npos) << blob.dump();
        EXPECT_STREQ(answer_name(stage.gpu->detach(id)), "OK");
        EXPECT_STREQ(answer_name(stage.gpu->unref(id)), "OK");
    } else {
        EXPECT_TRUE(blob.is_null()) << blob.dump();
        stage.gpu = std::make_unique<Gpu>(stage.machine);
    }
    EXPECT_EQ(stage.machine.stats()["totals"]["held_over"], 0);

    stage.power_up();
    stage.show(paint(Ground::width, Ground::height, 2));
    EXPECT_TRUE(viewer.shows("dmabuf"));
}

INSTANTIATE_TEST_SUITE_P(Vfio, VfioLossWays, testing::ValuesIn(ways),
                         [](const auto &row) { return std::string(row.param.name); });

/// The guest hands the device back; QEMU closes it. The viewer's import must not keep it.
TEST_F(VfioLoss, Unplug)
{
    Stage stage;
    const Viewer viewer;
    stage.show(paint(Ground::width, Ground::height, 1));
    ASSERT_TRUE(viewer.shows("dmabuf"));
    stage.machine.qmp({{"execute", "device_del"}, {"arguments", {{"id", "gpu"}}}});
    vm_pci_eject(stage.machine.raw(), slot);
    vm_wait_event(stage.machine.raw(), "DEVICE_DELETED");
    EXPECT_EQ(stage.machine.blob(id)["state"], "revoked");
    EXPECT_NE(stage.machine.blob(id).value("revoked", "").find("unplugged"), std::string::npos);
    EXPECT_TRUE(viewer.shows("neutral"));
    EXPECT_EQ(held_by(viewer.pid()).vfio_dmabufs, 0);
    EXPECT_EQ(stage.machine.stats()["totals"]["held_over"], 0);
    EXPECT_TRUE(eventually([&] {
        const auto targets = stage.machine.held().targets;
        return std::none_of(targets.begin(), targets.end(), [](const auto &target) {
            return target.find("vfio-device") != std::string::npos;
        });
    })) << "the device is still open";
}

/// A consumer that is stopped costs the guest a bounded time, once; the loss goes through.
TEST_F(VfioLoss, AStoppedViewerHoldsItUpForABoundedTime)
{
    Stage stage;
    const Viewer viewer;
    stage.show(paint(Ground::width, Ground::height, 1));
    ASSERT_TRUE(viewer.shows("dmabuf"));
    ASSERT_EQ(kill(viewer.pid(), SIGSTOP), 0);
    clear_command_memory(stage);
    EXPECT_EQ(stage.machine.blob(id)["state"], "revoked");
    EXPECT_EQ(stage.machine.stats()["totals"]["held_over"], 1);
    EXPECT_NE(stage.machine.new_messages().find("still holds its dma-buf after 500 ms"), std::string::npos);
    ASSERT_EQ(kill(viewer.pid(), SIGCONT), 0);
    EXPECT_TRUE(viewer.shows("neutral"));
    EXPECT_EQ(held_by(viewer.pid()).vfio_dmabufs, 0);
}

} // namespace
} // namespace vramlink::test
