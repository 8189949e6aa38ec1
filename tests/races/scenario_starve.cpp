// SPDX-License-Identifier: GPL-2.0-or-later
//
// A vCPU that refills a ring as soon as the device has taken something: the main loop still has time for
// others. How much time is compared with QEMU's own virtio-gpu, which goes through the same beside it.

#include "tests/races/field.hpp"
#include "tests/races/finding.hpp"
#include "tests/races/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace vramlink::test {

namespace {

constexpr int flood_ms = 1500;
constexpr int between_questions_ms = 4;
constexpr int margin_ms = 60; ///< of CPU time, which a busy machine makes longer; times VRAMLINK_SLOW

/// A command that the ring is refilled with, and what must be there for it.
struct Flood {
    unsigned queue;
    std::vector<Bytes> before;
    Bytes command;
};

/// One device that is flooded.
class Flooded {
  public:
    Flooded(const Setup &setup, const std::string &gpu_options)
        : guest_(setup, {.gpu = gpu_options}), gpu_(guest_.machine), control_(guest_, 0), cursor_(guest_, 1),
          memory_(vm_alloc(guest_.machine.raw(), memory_size))
    {
        guest_.prefer();
    }

    /// @returns seconds that QEMU's main thread has computed while a question to QMP was open, at most.
    double busiest(const Flood &flood, std::uint32_t pause, std::uint32_t random)
    {
        gpu_.reset();
        control_.refresh(gpu_.raw());
        cursor_.refresh(gpu_.raw());
        const auto at_memory = [&](Ring &ring, const Bytes &command) {
            std::memcpy(guest_.at(memory_), command.data(), command.size());
            return ring.place_at(memory_, static_cast<std::uint32_t>(command.size()));
        };
        for (const Bytes &command : flood.before)
            if (control_.send(at_memory(control_, command)) != VIRTIO_GPU_RESP_OK_NODATA)
                throw std::runtime_error("what comes before the flood is refused");
        Ring &ring = flood.queue ? cursor_ : control_;
        ring.fill_with(at_memory(ring, flood.command).head);
        Program refill;
        refill.refill(flood.queue, pause);
        const auto trips = guest_.run({refill}, random, flood_ms, between_questions_ms).qmp;
        return trips.busiest;
    }

  private:
    static constexpr std::size_t memory_size = 1 << 20;

    Guest guest_;
    Gpu gpu_;
    Ring control_, cursor_;
    std::uint64_t memory_;
};

constexpr std::uint64_t spare_ram = 32 << 20; ///< behind what libqos gives away

/// A list of which only the last page is bad: all of it is read, nothing comes of it.
std::vector<Entry> long_list(std::size_t count)
{
    std::vector<Entry> list(count - 1);
    for (std::size_t i = 0; i < list.size(); i++)
        list[i] = {spare_ram + i % 2 * page, page, 0};
    list.push_back({Ground::nowhere, page, 0});
    return list;
}

/// Single bytes: each use of the blob gathers them.
std::vector<Entry> dust(std::size_t count)
{
    std::vector<Entry> list(count);
    for (std::size_t i = 0; i < count; i++)
        list[i] = {spare_ram + 3 * i, 1, 0};
    return list;
}

Bytes cursor_bytes(std::uint32_t type)
{
    virtio_gpu_update_cursor command{};
    command.hdr.type = type;
    command.resource_id = Field::free_id;
    const auto *raw = reinterpret_cast<const std::uint8_t *>(&command);
    return {raw, raw + sizeof command};
}

constexpr std::uint32_t cursor_side = 64;

struct Floods {
    Flood ours, stock;
};

/// The light one needs the guest to be fast, the heavy one gives it time. Stock's device takes no blobs
/// without the host's udmabuf, and lists of 16,384 entries at most.
Floods control_flood(bool heavy)
{
    constexpr std::uint32_t many = 4'000, most_of_stock = 16'384; // the largest list is an exception
    const Bytes light = short_bytes(VIRTIO_GPU_CMD_GET_DISPLAY_INFO, 0);
    if (!heavy)
        return {{0, {}, light}, {0, {}, light}};
    return {{0, {}, create_blob_bytes(Field::free_id, many * page, many, long_list(many))},
            {0,
             {create_2d_bytes(Field::free_id, cursor_side, cursor_side)},
             attach_bytes(Field::free_id, most_of_stock, long_list(most_of_stock))}};
}

Floods cursor_flood(bool heavy)
{
    constexpr std::uint32_t bytes = 4 * cursor_side * cursor_side;
    const Bytes light = cursor_bytes(VIRTIO_GPU_CMD_MOVE_CURSOR);
    if (!heavy)
        return {{1, {}, light}, {1, {}, light}};
    const Bytes update = cursor_bytes(VIRTIO_GPU_CMD_UPDATE_CURSOR);
    return {{1, {create_blob_bytes(Field::free_id, bytes, bytes, dust(bytes))}, update},
            {1, {create_2d_bytes(Field::free_id, cursor_side, cursor_side)}, update}};
}

class Starve : public Play {
  public:
    Starve(const Setup &setup, Floods (*flood)(bool heavy))
        : ours_(setup, "virtio-gpu-vram-pci,id=vram0"), stock_(setup, "virtio-gpu-pci,id=vram0"),
          flood_(flood)
    {
    }

    void round(Random &random) override
    {
        const std::uint32_t pause = pauses(random, 8), seed = random.in32(1, ~0u);
        const Floods floods = flood_(random.chance(80));
        const double bound = stock_.busiest(floods.stock, pause, seed) + patience(margin_ms) / 1000.0;
        const double busy = ours_.busiest(floods.ours, pause, seed);
        if (busy > bound)
            throw Finding(fmt::format(
                "the guest refills queue {} with 0x{:x}, and QEMU's main thread computes {:.3f} s "
                "before QMP is answered; stock's virtio-gpu and {} ms would be {:.3f} s",
                floods.ours.queue, floods.ours.command[1] * 256 + floods.ours.command[0], busy,
                patience(margin_ms), bound));
    }

  private:
    Flooded ours_, stock_;
    Floods (*flood_)(bool heavy);
};

} // namespace

std::unique_ptr<Play> play_starve_control(const Setup &setup)
{
    return std::make_unique<Starve>(setup, control_flood);
}

std::unique_ptr<Play> play_starve_cursor(const Setup &setup)
{
    return std::make_unique<Starve>(setup, cursor_flood);
}

} // namespace vramlink::test
