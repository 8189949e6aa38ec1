// SPDX-License-Identifier: GPL-2.0-or-later
//
// The virtio-gpu itself comes and goes. QEMU's own virtio-gpu cannot; ours gives its consoles back.

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr std::uint32_t plain = 20;

void unplug(Machine &machine)
{
    machine.qmp({{"execute", "device_del"}, {"arguments", {{"id", "vram0"}}}});
    vm_pci_eject(machine.raw(), Machine::gpu_slot);
    vm_wait_event(machine.raw(), "DEVICE_DELETED");
}

void plug(Machine &machine)
{
    machine.qmp({{"execute", "device_add"},
                 {"arguments",
                  {{"driver", "virtio-gpu-vram-pci"},
                   {"id", "vram0"},
                   {"addr", std::to_string(Machine::gpu_slot)},
                   {"max_outputs", 2}}}});
}

/// A guest's driver that shows a blob on one output and a 2D resource on the other, and never cleans up.
void use(Machine &machine, const std::vector<Entry> &entries, const Picture &picture)
{
    Gpu gpu(machine);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(Ground::scanout_of(id, picture))), "OK");
    ASSERT_STREQ(answer_name(gpu.create_2d(plain, picture.width, picture.height)), "OK");
    ASSERT_STREQ(answer_name(gpu.attach(plain, entries)), "OK");
    ASSERT_STREQ(answer_name(gpu.transfer_to_host_2d(plain, {0, 0, picture.width, picture.height})), "OK");
    ASSERT_STREQ(answer_name(gpu.set_scanout(1, plain, {0, 0, picture.width, picture.height})), "OK");
    EXPECT_EQ(difference(picture, screendump(machine, 0)), "");
    EXPECT_EQ(difference(picture, screendump(machine, 1)), "");
}

TEST(Hotplug, TheDeviceComesBackAndLeaksNothing)
{
    Machine machine({.devices = ivshmem("near", Ground::near_slot, 16)});
    const auto bar = machine.map_bar(Ground::near_slot, 2);
    const Picture picture = paint(Ground::width, Ground::height, 1);
    const auto entries = scattered(bar.address, picture.pages(), 1);
    put(machine, entries, picture);
    use(machine, entries, picture);
    unplug(machine);
    Held first{};
    constexpr int rounds = 5;
    for (int i = 0; i < rounds; i++) {
        plug(machine);
        use(machine, entries, picture);
        unplug(machine);
        if (i == 0)
            first = machine.held();
    }
    EXPECT_TRUE(eventually([&] { return machine.held().fds <= first.fds; }))
        << machine.held().fds << " descriptors, there were " << first.fds;
    EXPECT_LE(machine.held().maps, first.maps + heap_maps);
    // The memory that it showed is nobody's any more.
    machine.qmp({{"execute", "device_del"}, {"arguments", {{"id", "near"}}}});
    vm_pci_eject(machine.raw(), Ground::near_slot);
    vm_wait_event(machine.raw(), "DEVICE_DELETED");
    machine.qmp({{"execute", "object-del"}, {"arguments", {{"id", "near-mem"}}}});
    EXPECT_TRUE(eventually([&] { return machine.held().fds < first.fds; }));
}

} // namespace
} // namespace vramlink::test
