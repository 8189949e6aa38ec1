// SPDX-License-Identifier: GPL-2.0-or-later
//
// Lifecycle: what a blob lives through. Detached, attached elsewhere, unreferenced while shown, reset, its
// memory taken away. After each the host holds what it held before, and a valid command works.

#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace vramlink::test {

namespace {

constexpr std::uint16_t memory_enable = 0x2;
constexpr Rect whole{0, 0, Ground::width, Ground::height};

void expect_not_shown(Ground &ground)
{
    EXPECT_NE(difference(ground.picture, screendump(ground.machine)), "")
        << "the blob is still on the screen";
}

int live(Ground &ground)
{
    return ground.machine.stats()["totals"]["live"];
}
int tombstones(Ground &ground)
{
    return ground.machine.stats()["totals"]["tombstones"];
}

/// The blob is gone, also from the screen.
void expect_gone(Ground &ground)
{
    expect_not_shown(ground);
    EXPECT_EQ(live(ground), 0);
    EXPECT_STREQ(answer_name(ground.gpu.flush(shown_id, whole)), "ERR_INVALID_RESOURCE_ID");
}

/// A blob of that id is as good as the first.
void show_again(Ground &ground)
{
    const auto entries = ground.shown_entries();
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(shown_id, ground.picture.bytes(), entries)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(shown_id, ground.picture))),
                 "OK");
    ground.check_alive();
}

TEST(Lifecycle, ScanoutOff)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob({.id = 0})), "OK");
    expect_not_shown(ground);
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(shown_id, ground.picture))),
                 "OK");
    ground.check_alive();
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout(0, 0, whole)), "OK");
    expect_not_shown(ground);
}

TEST(Lifecycle, UnrefWhileShown)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    ASSERT_STREQ(answer_name(ground.gpu.unref(shown_id)), "OK");
    expect_gone(ground);
    EXPECT_STREQ(answer_name(ground.gpu.unref(shown_id)), "ERR_INVALID_RESOURCE_ID");
    show_again(ground);
}

TEST(Lifecycle, NewMemoryIsShownWithoutANewScanout)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    ASSERT_STREQ(answer_name(ground.gpu.detach(shown_id)), "OK");
    EXPECT_STREQ(answer_name(ground.gpu.detach(shown_id)), "ERR_UNSPEC");
    ground.picture = paint(Ground::width, Ground::height, 21);
    const auto entries = scattered(ground.far_page(50), ground.picture.pages(), 3, 2);
    put(ground.machine, entries, ground.picture);
    ASSERT_STREQ(answer_name(ground.gpu.attach(shown_id, entries)), "OK");
    EXPECT_EQ(difference(ground.picture, screendump(ground.machine)), "");
    ground.check_alive();
}

TEST(Lifecycle, RefusedAttachLeavesTheBlobUsable)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    ASSERT_STREQ(answer_name(ground.gpu.detach(shown_id)), "OK");
    const auto good = ground.shown_entries();
    EXPECT_STREQ(answer_name(ground.gpu.attach(shown_id, {})), "ERR_INVALID_PARAMETER");
    EXPECT_STREQ(answer_name(ground.gpu.attach(shown_id, linear(ground.far_page(0), page))),
                 "ERR_INVALID_PARAMETER");
    EXPECT_STREQ(answer_name(ground.gpu.attach(shown_id, linear(Ground::nowhere, 4 * page))),
                 "ERR_INVALID_PARAMETER");
    EXPECT_STREQ(answer_name(ground.gpu.send(attach_bytes(shown_id, 65537, {}))), "ERR_INVALID_PARAMETER");
    EXPECT_STREQ(answer_name(ground.gpu.send(attach_bytes(shown_id, 5, good))), "ERR_INVALID_PARAMETER");
    ASSERT_STREQ(answer_name(ground.gpu.attach(shown_id, good)), "OK");
    ground.check_alive();
}

TEST(Lifecycle, DetachAndAttachAHundredTimes)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    const auto here = ground.shown_entries();
    const auto there = scattered(ground.far_page(9), ground.picture.pages(), 2, 2);
    put(ground.machine, there, ground.picture);
    const Held before = ground.machine.held();
    for (int i = 0; i < 100; i++) {
        ASSERT_STREQ(answer_name(ground.gpu.detach(shown_id)), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.attach(shown_id, i % 2 ? here : there)), "OK");
    }
    ground.check_alive();
    expect_same(ground.machine.held(), before);
}

TEST(Lifecycle, SwitchingScanoutsLeaksNothing)
{
    Ground &ground = Ground::shared(ground_options(Where::Ivshmem));
    const Picture other = paint(320, 200, 31);
    const auto entries = scattered(ground.far_page(20), other.pages(), 5);
    Held before;
    for (int i = 0; i < 40; i++) {
        ASSERT_STREQ(answer_name(ground.gpu.create_blob(30, other.bytes(), entries)), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(30, other))), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob({.id = 0})), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(30, other))), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.unref(30)), "OK");
        ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(shown_id, ground.picture))),
                     "OK");
        if (i == 0)
            before = ground.machine.held(); // QEMU's own surfaces exist from here on
    }
    ground.check_alive();
    EXPECT_EQ(ground.machine.held().targets, before.targets);
    expect_same(ground.machine.held(), before);
}

TEST(Lifecycle, DeviceReset)
{
    Ground ground;
    ground.gpu.reset();
    expect_gone(ground);
    show_again(ground);
}

TEST(Lifecycle, DeviceResetGivesEverythingBack)
{
    Machine machine({.devices = ivshmem("near", 5, 16)});
    Gpu gpu(machine);
    const auto bar = machine.map_bar(5, 2);
    Held before;
    for (int round = 0; round < 3; round++) {
        for (std::uint32_t id = 1; id <= 20; id++) {
            const auto entries = scattered(bar.address, 64, id);
            ASSERT_STREQ(answer_name(gpu.create_blob(id, 64 * page, entries)), "OK");
            BlobScanout scanout = Ground::scanout_of(id, paint(128, 128, id));
            ASSERT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "OK");
        }
        gpu.reset();
        if (round == 0)
            before = machine.held();
    }
    expect_same(machine.held(), before);
    EXPECT_EQ(machine.stats()["totals"]["extents"], 0);
}

TEST(Lifecycle, MachineReset)
{
    Ground ground;
    vm_reset(ground.machine.raw());
    EXPECT_EQ(live(ground), 0);
    EXPECT_EQ(tombstones(ground), 0);
    expect_not_shown(ground);
}

/// Ways in which a BAR leaves the guest's address space while a blob lies in it.
struct Loss {
    const char *name;
    Where where;
    std::function<void(Ground &)> happens;
    std::function<void(Ground &)> is_undone;
};

void memory_off(Ground &g)
{
    vm_pci_set_command(g.near.pci, vm_pci_command(g.near.pci) & ~memory_enable);
}
void memory_on(Ground &g)
{
    vm_pci_set_command(g.near.pci, vm_pci_command(g.near.pci) | memory_enable);
}
void bar_moves(Ground &g)
{
    vm_pci_move_bar(g.near.pci, 2, Ground::near_address + (64u << 20));
}
void bar_returns(Ground &g)
{
    vm_pci_move_bar(g.near.pci, 2, Ground::near_address);
}

class MemoryLost : public testing::TestWithParam<Loss> {};

TEST_P(MemoryLost, RevokesAndAttachRevives)
{
    Ground &ground = Ground::shared(ground_options(GetParam().where));
    const Held before = ground.machine.held();
    GetParam().happens(ground);
    EXPECT_EQ(live(ground), 0);
    EXPECT_EQ(tombstones(ground), 1);
    expect_not_shown(ground);
    EXPECT_EQ(ground.machine.held().dmabufs, 0);
    EXPECT_LE(ground.machine.held().maps, before.maps + heap_maps);
    EXPECT_STREQ(answer_name(ground.gpu.flush(shown_id, whole)), "ERR_INVALID_RESOURCE_ID");
    EXPECT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(shown_id, ground.picture))),
                 "ERR_INVALID_RESOURCE_ID");
    EXPECT_STREQ(answer_name(ground.gpu.detach(shown_id)), "OK");
    GetParam().is_undone(ground);
    const auto entries = ground.shown_entries();
    ASSERT_STREQ(answer_name(ground.gpu.attach(shown_id, entries)), "OK");
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(Ground::scanout_of(shown_id, ground.picture))),
                 "OK");
    ground.check_alive();
    expect_same(ground.machine.held(), before);
}

TEST_P(MemoryLost, TheGuestCanUnref)
{
    Ground &ground = Ground::shared(ground_options(GetParam().where));
    GetParam().happens(ground);
    EXPECT_STREQ(answer_name(ground.gpu.unref(shown_id)), "OK");
    EXPECT_STREQ(answer_name(ground.gpu.unref(shown_id)), "ERR_INVALID_RESOURCE_ID");
    EXPECT_EQ(tombstones(ground), 0);
}

TEST_P(MemoryLost, NothingIsMadeOfWhatWasThere)
{
    Ground &ground = Ground::shared(ground_options(GetParam().where));
    const auto entries = ground.shown_entries();
    const auto size = ground.picture.bytes();
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(31, size, entries)), "OK") << "the place is known now";
    GetParam().happens(ground);
    EXPECT_STREQ(answer_name(ground.gpu.create_blob(32, size, entries)), "ERR_INVALID_PARAMETER");
    GetParam().is_undone(ground);
    EXPECT_STREQ(answer_name(ground.gpu.create_blob(32, size, entries)), "OK");
}

TEST_P(MemoryLost, BlobsElsewhereStay)
{
    Ground &ground = Ground::shared(ground_options(GetParam().where));
    const Picture other = paint(Ground::width, Ground::height, 31);
    const auto entries = scattered(ground.far_page(20), other.pages(), 5);
    put(ground.machine, entries, other);
    ASSERT_STREQ(answer_name(ground.gpu.create_blob(30, other.bytes(), entries)), "OK");
    BlobScanout scanout = Ground::scanout_of(30, other);
    scanout.scanout = 1;
    ASSERT_STREQ(answer_name(ground.gpu.set_scanout_blob(scanout)), "OK");
    GetParam().happens(ground);
    EXPECT_EQ(live(ground), 1);
    EXPECT_STREQ(answer_name(ground.gpu.flush(30, whole)), "OK");
    EXPECT_EQ(difference(other, screendump(ground.machine, 1)), "");
}

INSTANTIATE_TEST_SUITE_P(Ways, MemoryLost,
                         testing::Values(Loss{"MemoryDisabled", Where::Ivshmem, memory_off, memory_on},
                                         Loss{"BarMoved", Where::Ivshmem, bar_moves, bar_returns}),
                         [](const auto &row) { return std::string(row.param.name); });

INSTANTIATE_TEST_SUITE_P(VfioWays, MemoryLost,
                         testing::Values(Loss{"MemoryDisabled", Where::Vfio, memory_off, memory_on},
                                         Loss{"BarMoved", Where::Vfio, bar_moves, bar_returns}),
                         [](const auto &row) { return std::string(row.param.name); });

TEST(Lifecycle, DeviceUnplugged)
{
    Ground ground;
    ground.machine.qmp({{"execute", "device_del"}, {"arguments", {{"id", "near"}}}});
    vm_pci_eject(ground.machine.raw(), Ground::near_slot);
    vm_wait_event(ground.machine.raw(), "DEVICE_DELETED");
    EXPECT_EQ(live(ground), 0);
    EXPECT_EQ(tombstones(ground), 1);
    const Held before = ground.machine.held();
    // Nothing refers to the device's memory any more, so its backend can go, and with it the fd.
    ground.machine.qmp({{"execute", "object-del"}, {"arguments", {{"id", "near-mem"}}}});
    EXPECT_TRUE(eventually([&] { return ground.machine.held().fds < before.fds; }));
    EXPECT_STREQ(answer_name(ground.gpu.unref(shown_id)), "OK");
}

TEST(Lifecycle, MemoryForListsIsBounded)
{
    constexpr std::uint32_t entries_per_blob = 16384;
    constexpr std::uint64_t bound = 256ull << 20;
    Machine machine({.devices = ivshmem("big", 5, 256)});
    Gpu gpu(machine);
    const auto bar = machine.map_bar(5, 2);
    const auto entries = scattered(bar.address, entries_per_blob, 40, 2);
    const Held before = machine.held();
    std::uint32_t id = 1;
    std::uint32_t answer = VIRTIO_GPU_RESP_OK_NODATA;
    for (; id <= 200 && answer == VIRTIO_GPU_RESP_OK_NODATA; id++)
        answer = gpu.create_blob(id, std::uint64_t{entries_per_blob} * page, entries);
    EXPECT_STREQ(answer_name(answer), "ERR_OUT_OF_MEMORY");
    EXPECT_LE(machine.held().rss, before.rss + bound);
    EXPECT_NE(machine.new_messages().find("ranges"), std::string::npos);
    for (std::uint32_t gone = 1; gone + 1 < id; gone++)
        ASSERT_STREQ(answer_name(gpu.unref(gone)), "OK");
    EXPECT_EQ(machine.stats()["totals"]["extents"], 0);
    EXPECT_STREQ(answer_name(gpu.create_blob(1, std::uint64_t{entries_per_blob} * page, entries)), "OK");
}

} // namespace

} // namespace vramlink::test
