// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the guest can change around a command: other commands over it, its descriptors, the rings.

#include "tests/device/consumer.hpp"
#include "tests/races/field.hpp"
#include "tests/races/finding.hpp"
#include "tests/races/scenario.hpp"

namespace vramlink::test {

namespace {

constexpr int limit_ms = 250;

Bytes cursor_bytes(std::uint32_t type, std::uint32_t id)
{
    virtio_gpu_update_cursor command{};
    command.hdr.type = type;
    command.resource_id = id;
    const auto *raw = reinterpret_cast<const std::uint8_t *>(&command);
    return {raw, raw + sizeof command};
}

/// What a guest does all day with the blob and the 2D resource.
std::vector<Ring::Placed> day(Field &field)
{
    const auto entries = field.blob_entries();
    const auto count = static_cast<std::uint32_t>(entries.size());
    const Rect flat{0, 0, Field::flat_side, Field::flat_side};
    const Rect whole{0, 0, field.picture().width, field.picture().height};
    std::vector<Ring::Placed> all;
    for (const Bytes &command :
         {set_scanout_blob_bytes(Ground::scanout_of(Field::blob_id, field.picture())),
          flush_bytes(Field::blob_id, whole), flush_bytes(Field::flat_id, flat),
          set_scanout_bytes(0, Field::flat_id, flat),
          short_bytes(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, Field::blob_id),
          attach_bytes(Field::blob_id, count, entries),
          short_bytes(VIRTIO_GPU_CMD_RESOURCE_UNREF, Field::blob_id),
          create_blob_bytes(Field::blob_id, field.picture().bytes(), count, entries),
          create_blob_bytes(Field::free_id, page, 1, linear(field.ram() + page, page)),
          short_bytes(VIRTIO_GPU_CMD_RESOURCE_UNREF, Field::free_id), create_2d_bytes(Field::free_id, 32, 32),
          attach_bytes(Field::free_id, 1, linear(field.ram() + page, page)),
          short_bytes(VIRTIO_GPU_CMD_GET_DISPLAY_INFO, 0)})
        all.push_back(field.control.place(command));
    return all;
}

Program some_of(Random &random, const std::vector<Ring::Placed> &all, std::uint32_t times)
{
    Program program;
    for (std::uint64_t i = random.in(4, 16); i; i--)
        program.command(0, all[random.in(0, all.size() - 1)].head).spin(0, 1 + pauses(random, 8));
    program.again(0, times);
    return program;
}

/// Whole commands take the place of others, and the cursor comes from what they destroy. A viewer looks on.
class Commands : public Play {
  public:
    explicit Commands(const Setup &setup)
        : field_(setup, {.cpus = 3, .display = "dbus,p2p=yes"}), viewer_(field_.guest.machine)
    {
    }

    void round(Random &random) override
    {
        field_.home();
        const auto all = day(field_);
        const Ring::Placed cursors[] = {
            field_.cursor.place(cursor_bytes(VIRTIO_GPU_CMD_UPDATE_CURSOR, Field::blob_id)),
            field_.cursor.place(cursor_bytes(VIRTIO_GPU_CMD_UPDATE_CURSOR, Field::free_id)),
            field_.cursor.place(cursor_bytes(VIRTIO_GPU_CMD_MOVE_CURSOR, Field::blob_id))};
        Program changer, cursor;
        // Copies that nobody changes lie in RAM behind the 2D resource's page.
        for (std::uint64_t i = random.in(2, 8); i; i--) {
            const auto &from = all[random.in(0, all.size() - 1)], &to = all[random.in(0, all.size() - 1)];
            const std::uint64_t kept = field_.ram() + (4 + i) * page;
            std::copy_n(field_.guest.at(from.request), from.size, field_.guest.at(kept));
            changer.copy(to.request, kept, random.chance(70) ? from.size : random.in32(1, from.size));
            changer.spin(0, 1 + pauses(random, 8));
        }
        changer.again(0, 0);
        for (const auto &one : cursors)
            cursor.command(1, one.head).spin(0, 1 + pauses(random, 8));
        cursor.again(0, 0);
        field_.guest.run({some_of(random, all, 40), changer, cursor}, random.in32(1, ~0u), limit_ms);
        field_.home();
        check_viewer();
        field_.check_picture();
    }

  private:
    /// It hears of a flush, as before; of a part, since QEMU tells of the whole with another message.
    void check_viewer()
    {
        const Rect part{0, 0, field_.picture().width / 2, field_.picture().height / 2};
        const unsigned from = viewer_.count();
        field_.must("RESOURCE_FLUSH", flush_bytes(Field::blob_id, part));
        if (viewer_.closed())
            throw Finding("the viewer's connection has been closed");
        if (viewer_.wait(RECORDED_UPDATE, from, [](const recorded &) { return true; }) == nullptr)
            throw Finding("after the race the viewer hears of no flush");
    }

    Field field_;
    Recorder viewer_;
};

/// The device may declare itself broken; a reset mends it.
class Descriptors : public Play {
  public:
    explicit Descriptors(const Setup &setup) : field_(setup, {}) {}

    void round(Random &random) override
    {
        field_.home();
        const auto all = day(field_);
        Program changer;
        for (std::uint64_t i = random.in(1, 3); i; i--)
            change_something(random, changer, all[random.in(0, all.size() - 1)]);
        changer.again(0, 0);
        field_.guest.run({some_of(random, all, 20), changer}, random.in32(1, ~0u), limit_ms);
        field_.home();
        field_.check_picture();
    }

  private:
    void change_something(Random &random, Program &program, const Ring::Placed &command)
    {
        const auto &ring = field_.control.where();
        const std::uint32_t number = command.head + (random.chance(50) ? 1 : 0);
        const std::uint64_t descriptor = field_.control.descriptor(number);
        const std::array<std::uint64_t, 5> places{field_.ram() + page, Ground::near_address, 0x50000000,
                                                  ring.notify, vm_gpu_common_config(field_.gpu().raw())};
        const auto word = [&](std::uint64_t at) {
            return std::uint32_t{*field_.guest.at<std::uint32_t>(at)};
        };
        const auto alternate = [&](std::uint64_t at, std::uint32_t other) {
            program.alternate(at, word(at), other, pauses(random, 8));
        };
        switch (random.in(0, 3)) {
        case 0:
            alternate(descriptor, static_cast<std::uint32_t>(random.one_of(places)));
            break;
        case 1:
            alternate(descriptor + 8, random.edge());
            break;
        case 2: // flags and next
            alternate(descriptor + 12, random.in32(0, 7) | random.in32(0, ring.size + 1) << 16);
            break;
        default: // two heads
            alternate(field_.control.head_at(2 * random.in32(0, ring.size / 2 - 1)),
                      random.in32(0, 2 * ring.size) | random.in32(0, ring.size) << 16);
            break;
        }
    }

    Field field_;
};

} // namespace

std::unique_ptr<Play> play_commands(const Setup &setup)
{
    return std::make_unique<Commands>(setup);
}

std::unique_ptr<Play> play_descriptors(const Setup &setup)
{
    return std::make_unique<Descriptors>(setup);
}

} // namespace vramlink::test
