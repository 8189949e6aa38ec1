// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the guest can change while it is read: the words of a command, and the list behind it.

#include "tests/races/field.hpp"
#include "tests/races/finding.hpp"
#include "tests/races/scenario.hpp"

#include <fmt/format.h>

#include <cstring>

namespace vramlink::test {

namespace {

constexpr std::uint32_t resource_id_offset = sizeof(virtio_gpu_ctrl_hdr);
constexpr int limit_ms = 1000;

std::uint32_t answer_bit(std::uint32_t type)
{
    if ((type & ~15u) == 0x1100)
        return RACE_ANSWER_OK(type);
    return (type & ~15u) == 0x1200 ? RACE_ANSWER_ERROR(type) : RACE_ANSWER_OTHER;
}

std::string answer_names(std::uint32_t bits)
{
    std::string names;
    for (std::uint32_t i = 0; i < 32; i++)
        if (bits & 1u << i)
            names += fmt::format(" 0x{:x}", i < 16 ? 0x1100 + i : 0x1200 + i - 16);
    return names.empty() ? " none" : names;
}

/// A command that is as it should be.
Bytes good_command(Random &random, const Field &field)
{
    const auto entries = field.blob_entries();
    const auto blob_count = static_cast<std::uint32_t>(entries.size());
    const Rect flat{0, 0, Field::flat_side, Field::flat_side};
    const std::uint32_t id = random.one_of(std::array{Field::blob_id, Field::flat_id, Field::free_id});
    switch (random.in(0, 10)) {
    case 0:
        return create_2d_bytes(id, Field::flat_side, Field::flat_side);
    case 1:
        return create_blob_bytes(Field::free_id, field.picture().bytes(), blob_count, entries);
    case 2:
        return short_bytes(VIRTIO_GPU_CMD_RESOURCE_UNREF, id);
    case 3:
        return short_bytes(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, id);
    case 4:
        return attach_bytes(Field::blob_id, blob_count, entries);
    case 5:
        return attach_bytes(Field::flat_id, 1, linear(field.ram(), page));
    case 6:
        return set_scanout_bytes(random.in32(0, 1), Field::flat_id, flat);
    case 7:
        return set_scanout_blob_bytes(Ground::scanout_of(Field::blob_id, field.picture()));
    case 8:
        return flush_bytes(id, flat);
    case 9:
        return short_bytes(VIRTIO_GPU_CMD_GET_EDID, random.in32(0, 1));
    default:
        return short_bytes(VIRTIO_GPU_CMD_GET_DISPLAY_INFO, 0);
    }
}

struct Alternation {
    Bytes command;
    std::uint32_t offset, one, other;
};

Alternation draw(Random &random, const Field &field)
{
    static constexpr std::array<std::uint32_t, 12> types{VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
                                                         VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
                                                         VIRTIO_GPU_CMD_RESOURCE_UNREF,
                                                         VIRTIO_GPU_CMD_SET_SCANOUT,
                                                         VIRTIO_GPU_CMD_RESOURCE_FLUSH,
                                                         VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
                                                         VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
                                                         VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
                                                         VIRTIO_GPU_CMD_GET_EDID,
                                                         VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
                                                         VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
                                                         VIRTIO_GPU_CMD_GET_CAPSET_INFO};
    static constexpr std::array ids{0u, Field::blob_id, Field::flat_id, Field::free_id};
    Alternation a{good_command(random, field), 0, 0, 0};
    const std::uint64_t where = random.in(0, 9);
    if (where < 7) {
        a.other = random.one_of(types);
    } else if (where < 9) {
        a.offset = resource_id_offset;
        a.other = random.one_of(ids);
    } else {
        a.offset = 4 * random.in32(1, static_cast<std::uint32_t>(a.command.size() / 4) - 1);
        a.other = random.chance(50) ? random.edge() : random.one_of(ids);
    }
    std::memcpy(&a.one, a.command.data() + a.offset, sizeof a.one);
    return a;
}

/// The answers to a command of which one word alternates must be answers to one of the two.
class Answers : public Play {
  public:
    explicit Answers(const Setup &setup) : field_(setup, {}) {}

    void round(Random &random) override
    {
        field_.home();
        const Alternation a = draw(random, field_);
        const auto placed = field_.control.place(a.command);
        std::uint32_t known = learn(random, placed, a, lessons);
        Program sender, changer;
        const std::uint32_t spare = pauses(random, 6);
        sender.command(0, placed.head).tally(placed.answer).spin(0, spare + 1).again(0, 400);
        changer.alternate(placed.request + a.offset, a.one, a.other, pauses(random, 6)).again(0, 0);
        field_.guest.run({sender, changer}, random.in32(1, ~0u), 150);
        const auto &cpu = field_.guest.page().cpu[0];
        const std::uint32_t seen = cpu.answers, tallied = cpu.tallied;
        if (seen & ~known) // rarely, a state that has not been reached while learning
            known |= learn(random, placed, a, 20 * lessons);
        if (seen & ~known)
            throw Finding(fmt::format("{} times a command whose word at {} is 0x{:x} or 0x{:x}: answered with"
                                      "{}, to the two commands belong{}",
                                      tallied, a.offset, a.one, a.other, answer_names(seen & ~known),
                                      answer_names(known)));
        if (!random.chance(25)) // it takes its time
            return;
        field_.home();
        field_.check_picture();
    }

  private:
    static constexpr int lessons = 24;

    /// What the two commands are answered with, one after another, in random order.
    std::uint32_t learn(Random &random, const Ring::Placed &placed, const Alternation &a, int times)
    {
        std::uint32_t answers = 0;
        for (int i = 0; i < times; i++) {
            *field_.guest.at<std::uint32_t>(placed.request + a.offset) = random.chance(50) ? a.one : a.other;
            answers |= answer_bit(field_.control.send(placed));
        }
        return answers;
    }

    Field field_;
};

/// Two commands that differ in their type: one that the heart lets pass, and SET_SCANOUT, which it must see.
struct Disguised {
    Disguised(Field &field, std::uint32_t scanout)
        : placed(field.control.place(
              set_scanout_bytes(scanout, Field::flat_id, {0, 0, Field::flat_side, Field::flat_side})))
    {
    }
    [[nodiscard]] Program changer(Random &random) const
    {
        Program program;
        program.alternate(placed.request, VIRTIO_GPU_CMD_GET_DISPLAY_INFO, VIRTIO_GPU_CMD_SET_SCANOUT,
                          pauses(random, 5));
        program.again(0, 0);
        return program;
    }
    Ring::Placed placed;
};

/// The parent's scanout and ours must stay one: what it remembers of a surface dies when we replace it.
class ScanoutFetch : public Play {
  public:
    explicit ScanoutFetch(const Setup &setup) : field_(setup, {}) {}

    void round(Random &random) override
    {
        field_.home();
        const Disguised disguised(field_, 0);
        auto &ring = field_.control;
        const auto entries = field_.blob_entries();
        const auto detach = ring.place(short_bytes(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, Field::blob_id));
        const auto attach =
            ring.place(attach_bytes(Field::blob_id, static_cast<std::uint32_t>(entries.size()), entries));
        const auto show =
            ring.place(set_scanout_blob_bytes(Ground::scanout_of(Field::blob_id, field_.picture())));
        Program sender;
        for (std::uint32_t i = random.in32(1, 2); i; i--)
            sender.command(0, disguised.placed.head);
        sender.command(0, detach.head);
        for (std::uint32_t i = random.in32(1, 3); i; i--)
            sender.command(0, disguised.placed.head);
        sender.command(0, attach.head).command(0, show.head).again(0, 500);
        field_.guest.run({sender, disguised.changer(random)}, random.in32(1, ~0u), limit_ms);
        field_.home();
        field_.check_picture();
    }

  private:
    Field field_;
};

/// The surface that a frame is converted into must be the one that it was made for.
class ConvertFetch : public Play {
  public:
    explicit ConvertFetch(const Setup &setup)
        : field_(setup, {.gpu = "virtio-gpu-vram-pci,id=vram0,max_outputs=2,layouts=NV12"})
    {
    }

    void round(Random &random) override
    {
        constexpr std::uint32_t side = 1024;
        constexpr std::uint64_t size = nv12_bytes(side);
        field_.home();
        auto &ring = field_.control;
        field_.must("RESOURCE_CREATE_BLOB",
                    create_blob_bytes(Field::free_id, size, 1, linear(field_.ram() + page, size)));
        const Disguised disguised(field_, 0);
        const auto show = ring.place(set_scanout_blob_bytes(nv12_square(Field::free_id, side)));
        const auto flush = ring.place(flush_bytes(Field::free_id, {0, 0, side, side}));
        Program sender;
        sender.command(0, show.head);
        for (std::uint32_t i = random.in32(1, 3); i; i--)
            sender.command(0, disguised.placed.head);
        sender.command(0, flush.head).again(0, 60);
        field_.guest.run({sender, disguised.changer(random)}, random.in32(1, ~0u), limit_ms);
        field_.home();
        field_.check_picture();
    }

  private:
    Field field_;
};

/// The list of pages, its length and the blob's size.
class Entries : public Play {
  public:
    explicit Entries(const Setup &setup) : field_(setup, {}) {}

    void round(Random &random) override
    {
        constexpr std::uint32_t most = 128;
        field_.home();
        auto &ring = field_.control;
        const std::uint32_t count = random.in32(1, most);
        const auto entries = scattered(random.chance(50) ? Ground::near_address : field_.ram(), count, 7);
        const Picture strip = paint(1024, count, 2); // a page is a row
        const bool attach = random.chance(50);
        const Bytes make = create_blob_bytes(Field::free_id, strip.bytes(), count, entries);
        const auto create = ring.place(make);
        const auto again = ring.place(attach_bytes(Field::free_id, count, entries));
        const auto detach = ring.place(short_bytes(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, Field::free_id));
        auto shown = Ground::scanout_of(Field::free_id, strip);
        shown.scanout = 1;
        const auto show = ring.place(set_scanout_blob_bytes(shown));
        const auto flush = ring.place(flush_bytes(Field::free_id, {0, 0, strip.width, strip.height}));
        const auto unref = ring.place(unref_bytes(Field::free_id));
        Program sender;
        sender.command(0, create.head).command(0, show.head).command(0, flush.head);
        if (attach)
            sender.command(0, detach.head).command(0, again.head).command(0, flush.head);
        sender.command(0, unref.head).again(0, 100);
        field_.guest.run({sender, changer(random, attach ? again : create, count)}, random.in32(1, ~0u), 300);
        field_.home();
        field_.check_picture();
    }

  private:
    /// Changes three words at a time of what comes behind the id.
    static Program changer(Random &random, const Ring::Placed &list, std::uint32_t count)
    {
        static constexpr std::array<std::uint32_t, 8> values{
            0,          1,          4096,
            0x7fffffff, 0xfffff000, static_cast<std::uint32_t>(Ground::near_address),
            0x1000000,  0xffffffff};
        Program program;
        const std::uint32_t first = (resource_id_offset + 4) / 4;
        for (int i = 0; i < 3; i++) {
            const std::uint32_t last = list.size / 4 - 1;
            const std::uint32_t word = random.chance(30)
                                           ? random.in32(first, std::min(first + 8, last))
                                           : random.in32(last - std::min(last - first, 4 * count - 1), last);
            const std::uint64_t at = list.request + 4 * word;
            program.alternate(at, random.one_of(values), random.chance(50) ? count : random.edge(),
                              pauses(random, 6));
        }
        program.again(0, 0);
        return program;
    }

    Field field_;
};

} // namespace

std::unique_ptr<Play> play_answers(const Setup &setup)
{
    return std::make_unique<Answers>(setup);
}

std::unique_ptr<Play> play_scanout(const Setup &setup)
{
    return std::make_unique<ScanoutFetch>(setup);
}

std::unique_ptr<Play> play_convert(const Setup &setup)
{
    return std::make_unique<ConvertFetch>(setup);
}

std::unique_ptr<Play> play_entries(const Setup &setup)
{
    return std::make_unique<Entries>(setup);
}

} // namespace vramlink::test
