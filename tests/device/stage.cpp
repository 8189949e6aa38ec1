// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/stage.hpp"

#include "tests/device/shared.hpp"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

namespace vramlink::test {
namespace {

constexpr unsigned behind_port = 32; ///< bus 1, slot 0
constexpr int registers_bar = 0;

std::string log_path()
{
    return std::filesystem::temp_directory_path() / ("vramlink-loss-" + std::to_string(getpid()) + ".log");
}

Machine::Options machine_options(const Stage::Options &options)
{
    const std::string port =
        options.root_port
            ? "-device pcie-root-port,id=root,chassis=1,addr=" + std::to_string(Stage::slot) + " "
            : "";
    std::string gpu = "virtio-gpu-vram-pci,id=vram0,let-go-ms=";
    gpu += std::to_string(options.let_go_ms);
    gpu += options.gpu_options;
    const std::string place = options.root_port ? ",bus=root" : ",addr=" + std::to_string(Stage::slot);
    return {.devices = options.devices + " " + port + "-device vfio-pci,id=gpu,host=" + NvmeGpu::host() +
                       place + Viewer::door(),
            .gpu = gpu,
            .display = options.display,
            .preload = loss_library(),
            .environment = "VRAMLINK_TEST_LOSS_LOG=" + log_path() + " " + options.environment,
            .machine = options.root_port ? "q35" : "pc"};
}

} // namespace

Stage::Stage(const Options &chosen)
    : options(chosen), machine(machine_options(chosen)), gpu(std::make_unique<Gpu>(machine))
{
    if (options.root_port)
        port = vm_pci_open(machine.raw(), slot);
    power_up();
    meet();
    first_totals_ = machine.stats()["totals"];
}

Stage &Stage::shared(const Options &options)
{
    auto *left = Shared::take_over<Stage>(machine_options(options));
    if (left == nullptr)
        return Shared::leave(machine_options(options), std::make_unique<Stage>(options));
    left->restore();
    return *left;
}

void Stage::restore()
{
    gpu = std::make_unique<Gpu>(machine); // a virtio reset: no blob is left
    power_up();
    meet();
    machine.new_messages();
    first_totals_ = machine.stats()["totals"];
}

std::int64_t Stage::counted(const char *what)
{
    return machine.stats()["totals"].at(what).get<std::int64_t>() -
           first_totals_.at(what).get<std::int64_t>();
}

/// The plugin keeps a descriptor for each device whose driver tells of revocations, from its first blob on.
void Stage::meet()
{
    EXPECT_STREQ(answer_name(gpu->create_blob(id, page, linear(memory.address, page))), "OK");
    EXPECT_STREQ(answer_name(gpu->unref(id)), "OK");
}

void Stage::power_up()
{
    if (port != nullptr)
        vm_pci_open_bridge(port);
    if (memory.pci == nullptr)
        map_bars();
    else
        put_bars_back();
    NvmeGpu::enable_memory(machine, registers.address);
}

void Stage::map_bars()
{
    const unsigned place = port != nullptr ? behind_port : slot;
    memory = machine.map_bar(place, memory_bar);
    registers = machine.map_bar(place, registers_bar);
}

/// To where map_bars() has put them: libqos has addresses for a few BARs only.
void Stage::put_bars_back()
{
    const auto command = static_cast<std::uint16_t>(vm_pci_command(memory.pci) & ~PCI_COMMAND_MEMORY);
    vm_pci_set_command(memory.pci, command);
    for (const auto &[bar, address] :
         {std::pair{registers_bar, registers.address}, {memory_bar, memory.address}}) {
        vm_pci_move_bar(memory.pci, bar, address);
        vm_pci_move_bar(memory.pci, bar + 1, 0); // the upper half
    }
    vm_pci_set_command(memory.pci,
                       static_cast<std::uint16_t>(command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
}

std::vector<Entry> Stage::entries_of(const Picture &picture) const
{
    return scattered(memory.address, picture.pages(), 3);
}

void Stage::show(const Picture &picture, const std::vector<Entry> &entries)
{
    put(machine, entries, picture);
    ASSERT_STREQ(answer_name(gpu->create_blob(id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(gpu->set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    ASSERT_STREQ(answer_name(gpu->flush(id, {0, 0, picture.width, picture.height})), "OK");
}

void Stage::clean_up()
{
    EXPECT_STREQ(answer_name(gpu->detach(id)), "OK");
    EXPECT_STREQ(answer_name(gpu->unref(id)), "OK");
}

void Stage::decode(bool on)
{
    const auto command = static_cast<std::uint16_t>(vm_pci_command(memory.pci) & ~PCI_COMMAND_MEMORY);
    vm_pci_set_command(memory.pci, on ? command | PCI_COMMAND_MEMORY : command);
}

std::vector<Asked> asked_of_kernel()
{
    std::ifstream file(log_path());
    std::vector<Asked> lines;
    for (std::string line; std::getline(file, line);) {
        std::istringstream text(line);
        const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
        if (words.size() >= 3)
            lines.push_back({line, std::stoi(words[words.size() - 2]), std::stoll(words.back())});
    }
    return lines;
}

void report_loss(const std::string &what, std::chrono::steady_clock::duration took)
{
    std::printf("## %s: %.1f ms\n", what.c_str(), std::chrono::duration<double, std::milli>(took).count());
}

int vfio_dmabufs()
{
    std::ifstream file("/sys/kernel/debug/dma_buf/bufinfo");
    int count = 0;
    for (std::string line; std::getline(file, line);)
        count += line.find("vfio") != std::string::npos;
    return count;
}

int write_sysfs(const std::string &path, const std::string &text)
{
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file)
        return errno;
    return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

/// Files that QEMU's displays keep: sockets of consumers that have left, surfaces of QEMU's, dma-bufs of Mesa
/// and the memory behind them.
static bool is_displays_own(const std::string &target)
{
    return target.starts_with("socket:") || target.starts_with("/memfd:displaysurface") ||
           target.starts_with("/memfd:lp_dma_buf") || target.find("dmabuf") != std::string::npos;
}

Baseline::Baseline(Stage &stage, const Viewer &viewer)
{
    const Json at_rest = neutral_count(viewer);
    first_ = look(stage, viewer);
    first_.viewer = at_rest;
}

Baseline::Count Baseline::look(Stage &stage, const Viewer &viewer)
{
    const Held held = stage.machine.held();
    const Json totals = stage.machine.stats()["totals"];
    Count count{held.maps, vfio_dmabufs(), gem_count(viewer.pid()), totals["live"], totals["tombstones"], {}};
    for (const auto &target : held.targets) {
        if (!is_displays_own(target))
            count.files.insert(target);
    }
    return count;
}

bool Baseline::again(const Count &now) const
{
    for (const char *kept : {"gem_handles", "framebuffers"}) {
        if (now.viewer.value(kept, Json()) != first_.viewer.value(kept, Json()))
            return false;
    }
    return now.files.size() <= first_.files.size() && now.maps <= first_.maps + heap_maps &&
           now.dmabufs == first_.dmabufs && now.live == first_.live && now.tombstones == first_.tombstones;
}

void Baseline::expect_again(Stage &stage, const Viewer &viewer) const
{
    constexpr int limit_ms = 6'000;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience(limit_ms));
    Count now = look(stage, viewer);
    while (!again(now) && std::chrono::steady_clock::now() < end) // a look takes its time
        now = look(stage, viewer);
    std::string more;
    for (const auto &file : now.files) {
        if (now.files.count(file) > first_.files.count(file))
            more += file + " ";
    }
    EXPECT_TRUE(again(now)) << "more files: " << more << ", maps " << first_.maps << " then " << now.maps
                            << ", VFIO dma-bufs " << first_.dmabufs << " then " << now.dmabufs << ", live "
                            << now.live << ", tombstones " << now.tombstones << ", viewer "
                            << first_.viewer.dump() << " then " << now.viewer.dump();
    EXPECT_TRUE(first_.viewer.is_object()) << "gem-count says nothing";
}

void StageTest::SetUp()
{
    ASSERT_NE(NvmeGpu::host(), "") << "VRAMLINK_VFIO_FLR names no device";
    // A test that crashed may have left it at none.
    write_sysfs("/sys/bus/pci/devices/" + NvmeGpu::host() + "/reset_method", "default\n");
}

void StageTest::TearDown()
{
    std::filesystem::remove(log_path());
}

} // namespace vramlink::test
