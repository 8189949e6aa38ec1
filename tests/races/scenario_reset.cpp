// SPDX-License-Identifier: GPL-2.0-or-later
//
// The guest resets the display device: while it works, and while it is ejected.

#include "tests/races/field.hpp"
#include "tests/races/scenario.hpp"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include <cstddef>

namespace vramlink::test {

namespace {

/// A driver's start after a reset, on the rings that are there (virtio 1.3, 3.1.1 and 4.1.5.1).
void negotiate(Program &program, Field &field)
{
    const std::uint64_t common = vm_gpu_common_config(field.gpu().raw());
    const std::uint64_t features = field.gpu().features();
    const auto at = [&](std::size_t offset) { return common + offset; };
    const std::uint64_t status = at(VIRTIO_PCI_COMMON_STATUS);
    std::uint32_t state = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
    for (const Ring *ring : {&field.control, &field.cursor})
        program.write16(ring->where().avail + 2, 0).write16(ring->where().used + 2, 0);
    program.write8(status, state);
    for (std::uint32_t half : {0u, 1u})
        program.write32(at(VIRTIO_PCI_COMMON_GFSELECT), half)
            .write32(at(VIRTIO_PCI_COMMON_GF), static_cast<std::uint32_t>(features >> 32 * half));
    program.write8(status, state |= VIRTIO_CONFIG_S_FEATURES_OK);
    for (std::uint32_t queue : {0u, 1u}) {
        const auto &ring = (queue ? field.cursor : field.control).where();
        program.write16(at(VIRTIO_PCI_COMMON_Q_SELECT), queue)
            .write16(at(VIRTIO_PCI_COMMON_Q_SIZE), ring.size);
        program.write32(at(VIRTIO_PCI_COMMON_Q_DESCLO), static_cast<std::uint32_t>(ring.desc));
        program.write32(at(VIRTIO_PCI_COMMON_Q_AVAILLO), static_cast<std::uint32_t>(ring.avail));
        program.write32(at(VIRTIO_PCI_COMMON_Q_USEDLO), static_cast<std::uint32_t>(ring.used));
        program.write16(at(VIRTIO_PCI_COMMON_Q_ENABLE), 1);
    }
    program.write8(status, state | VIRTIO_CONFIG_S_DRIVER_OK);
}

/// Commands that make, show and flush a blob in the GPU's BAR, for ever.
Program worker(Random &random, Field &field)
{
    const auto entries = field.blob_entries();
    const auto count = static_cast<std::uint32_t>(entries.size());
    Program program;
    for (const Bytes &command :
         {create_blob_bytes(Field::blob_id, field.picture().bytes(), count, entries),
          set_scanout_blob_bytes(Ground::scanout_of(Field::blob_id, field.picture())),
          flush_bytes(Field::blob_id, {0, 0, field.picture().width, field.picture().height}),
          create_2d_bytes(Field::flat_id, Field::flat_side, Field::flat_side)})
        program.command(0, field.control.place(command).head).spin(0, 1 + pauses(random, 8));
    program.again(0, 0);
    return program;
}

class Reset : public Play {
  public:
    explicit Reset(const Setup &setup) : field_(setup, {}) {}

    void round(Random &random) override
    {
        constexpr int limit_ms = 200;
        field_.home();
        const std::uint64_t status = vm_gpu_common_config(field_.gpu().raw()) + VIRTIO_PCI_COMMON_STATUS;
        Program resetter;
        resetter.spin(0, 1 + pauses(random, 14)).write8(status, 0);
        if (random.chance(70))
            negotiate(resetter, field_);
        resetter.again(0, random.in32(1, 40));
        field_.guest.run({worker(random, field_), resetter}, random.in32(1, ~0u), limit_ms);
        field_.home();
        field_.check_picture();
    }

  private:
    Field field_;
};

/// One of each in a round: an ejected device is gone.
class ResetEject : public Play {
  public:
    explicit ResetEject(const Setup &setup) : field_(setup, {}) {}

    void round(Random &random) override
    {
        constexpr int limit_ms = 5000;
        field_.home();
        const std::uint64_t status = vm_gpu_common_config(field_.gpu().raw()) + VIRTIO_PCI_COMMON_STATUS;
        Program resetter, ejector;
        resetter.meet(0, 2).spin(0, 1 + pauses(random, 10)).write8(status, 0);
        ejector.meet(0, 2).spin(0, 1 + pauses(random, 14)).out32(Field::eject_port, Field::eject_display);
        field_.guest.run({resetter, ejector}, random.in32(1, ~0u), limit_ms);
    }

  private:
    Field field_;
};

} // namespace

std::unique_ptr<Play> play_reset(const Setup &setup)
{
    return std::make_unique<Reset>(setup);
}

std::unique_ptr<Play> play_reset_eject(const Setup &setup)
{
    return std::make_unique<ResetEject>(setup);
}

} // namespace vramlink::test
