// SPDX-License-Identifier: GPL-2.0-or-later
//
// The GPU that blobs lie in loses its memory: by config writes, by an eject, and both at once.

#include "tests/races/field.hpp"
#include "tests/races/finding.hpp"
#include "tests/races/scenario.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace vramlink::test {

namespace {

/// Takes the GPU's memory away.
void lose(Random &random, const Field &field, Program &program)
{
    const Field::ConfigByte byte = random.chance(50) ? field.sleeps() : field.resets();
    const std::uint32_t command = Field::gpu_config(Field::command_register);
    if (byte.reg && random.chance(50)) {
        program.config8(Field::gpu_config(byte.reg), byte.value);
        return;
    }
    switch (random.in(0, 2)) {
    case 0:
        program.config16(command, Field::off);
        break;
    case 1:
        program.config16(command, 0);
        break;
    default:
        program.config32(Field::gpu_config(Field::bar_register),
                         static_cast<std::uint32_t>(Field::elsewhere));
        break;
    }
}

/// And gives it back.
void regain(const Field &field, Program &program)
{
    if (field.sleeps().reg)
        program.config8(Field::gpu_config(field.sleeps().reg), 0);
    program.config32(Field::gpu_config(Field::bar_register),
                     static_cast<std::uint32_t>(Ground::near_address));
    program.config16(Field::gpu_config(Field::command_register), Field::on);
}

/// The heads of the commands that make the blob and show it once more.
struct Comeback {
    explicit Comeback(Field &field)
    {
        const auto entries = field.blob_entries();
        const auto count = static_cast<std::uint32_t>(entries.size());
        const Rect whole{0, 0, field.picture().width, field.picture().height};
        for (const Bytes &command :
             {short_bytes(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, Field::blob_id),
              attach_bytes(Field::blob_id, count, entries),
              set_scanout_blob_bytes(Ground::scanout_of(Field::blob_id, field.picture())),
              flush_bytes(Field::blob_id, whole)})
            heads.push_back(field.control.place(command).head);
    }
    void in(Program &program) const
    {
        for (const std::uint32_t head : heads)
            program.command(0, head);
    }
    std::vector<std::uint32_t> heads;
};

class Loss : public Play {
  public:
    explicit Loss(const Setup &setup, const Guest::Options &options = {}) : field_(setup, options) {}

    void round(Random &random) override
    {
        constexpr int limit_ms = 1000;
        field_.home();
        const Comeback comeback(field_);
        Program worker, loser;
        comeback.in(worker);
        worker.spin(0, 1 + pauses(random, 10)).again(0, 60);
        for (int i = 0; i < 3; i++) {
            loser.spin(0, 1 + pauses(random, 12));
            lose(random, field_, loser);
            loser.spin(0, 1 + pauses(random, 12));
            regain(field_, loser);
        }
        loser.again(0, random.in32(1, 10));
        if (random.chance(40))
            loser.out32(Field::eject_port, Field::eject_gpu);
        field_.guest.run({worker, loser}, random.in32(1, ~0u), limit_ms);
        field_.home();
        field_.check_picture();
    }

  private:
    Field field_;
};

/// Of a real VFIO device: its config write is seen before the kernel is told (hw/qemu/watch.c).
class ConfigEject : public Play {
  public:
    explicit ConfigEject(const Setup &setup) : field_(setup, {}) {}

    void round(Random &random) override
    {
        constexpr int limit_ms = 10'000;
        field_.home();
        Program loser, ejector;
        loser.meet(0, 2).spin(0, 1 + pauses(random, 10));
        lose(random, field_, loser);
        ejector.meet(0, 2).spin(0, 1 + pauses(random, 15)).out32(Field::eject_port, Field::eject_gpu);
        field_.guest.run({loser, ejector}, random.in32(1, ~0u), limit_ms);
    }

  private:
    Field field_;
};

/// With ECAM, where config accesses need no lock of the guest's.
class ConfigReads : public Play {
  public:
    explicit ConfigReads(const Setup &setup) : field_(setup, {.machine = "q35"})
    {
        constexpr std::uint32_t enable = 1, place = 0xb0000000;
        constexpr std::uint8_t pciexbar = 0x60;
        vm_pci *host = vm_pci_open(field_.guest.machine.raw(), 0);
        vm_pci_config_writel(host, pciexbar + 4, 0);
        vm_pci_config_writel(host, pciexbar, place | enable);
        host_id_ = vm_pci_config_readl(host, 0);
        field_.guest.page().ecam = place;
    }

    void round(Random &random) override
    {
        constexpr int limit_ms = 6000;
        constexpr std::uint32_t reads = 100;
        field_.home();
        const Comeback comeback(field_);
        Program loser, innocent;
        lose(random, field_, loser);
        loser.spin(0, 1 + pauses(random, 10));
        regain(field_, loser);
        comeback.in(loser);
        loser.again(0, 10);
        innocent.check(RACE_CONFIG_AT(0, 0, 0), host_id_, reads).again(0, 0);
        field_.guest.run({loser, innocent}, random.in32(1, ~0u), limit_ms);
        const auto &cpu = field_.guest.page().cpu[1];
        if (cpu.lost)
            throw Finding(fmt::format(
                "while one vCPU takes the GPU's memory away, {} of {} reads by another of the "
                "host bridge's id 0x{:08x} are lost; the last gives 0x{:08x}",
                std::uint32_t{cpu.lost}, std::uint32_t{cpu.checked}, host_id_, std::uint32_t{cpu.seen}));
        if (cpu.checked < reads)
            throw std::runtime_error("the vCPU that reads config space has hardly run");
    }

  private:
    Field field_;
    std::uint32_t host_id_ = 0;
};

} // namespace

std::unique_ptr<Play> play_loss(const Setup &setup)
{
    return std::make_unique<Loss>(setup);
}

std::unique_ptr<Play> play_loss_window(const Setup &setup)
{
    return std::make_unique<Loss>(setup, Guest::Options{.display = "gtk"});
}

std::unique_ptr<Play> play_loss_gl(const Setup &setup)
{
    const char *display = std::getenv("VRAMLINK_GL_DISPLAY");
    if (display == nullptr)
        throw std::runtime_error("VRAMLINK_GL_DISPLAY names no display with GL");
    return std::make_unique<Loss>(
        setup, Guest::Options{.gpu = "virtio-gpu-gl-vram-pci,id=vram0,max_outputs=2", .display = display});
}

std::unique_ptr<Play> play_config_eject(const Setup &setup)
{
    return std::make_unique<ConfigEject>(setup);
}

std::unique_ptr<Play> play_config_reads(const Setup &setup)
{
    return std::make_unique<ConfigReads>(setup);
}

} // namespace vramlink::test
