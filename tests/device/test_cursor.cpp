// SPDX-License-Identifier: GPL-2.0-or-later
//
// Cursors that are blobs: pixels and hot spot reach a display.

#include "tests/device/consumer.hpp"
#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr std::uint32_t hot_x = 5;
constexpr std::uint32_t hot_y = 7;

/// Shows a cursor from a blob of @p entries and compares what a D-Bus display is told.
void expect_cursor(Machine &machine, Gpu &gpu, const std::vector<Entry> &entries, std::uint32_t seed)
{
    const Consumer consumer = connect_consumer(machine);
    ASSERT_TRUE(consumer);
    const Picture cursor = paint(STUCK_CURSOR_SIZE, STUCK_CURSOR_SIZE, seed);
    put(machine, entries, cursor);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, cursor.bytes(), entries)), "OK");
    stuck_cursor seen{};
    const int before = stuck_consumer_cursor(consumer.get(), &seen);
    gpu.update_cursor(id, hot_x, hot_y);
    ASSERT_TRUE(eventually([&] { return stuck_consumer_cursor(consumer.get(), &seen) > before; }));
    EXPECT_EQ(seen.width, STUCK_CURSOR_SIZE);
    EXPECT_EQ(seen.height, STUCK_CURSOR_SIZE);
    EXPECT_EQ(seen.hot_x, static_cast<int>(hot_x));
    EXPECT_EQ(seen.hot_y, static_cast<int>(hot_y));
    EXPECT_EQ(std::memcmp(seen.pixels, cursor.pixels.data(), cursor.bytes()), 0);
    // The next one, from the same memory.
    const Picture next = paint(STUCK_CURSOR_SIZE, STUCK_CURSOR_SIZE, seed + 1);
    put(machine, entries, next);
    gpu.update_cursor(id, hot_x, hot_y);
    EXPECT_TRUE(eventually([&] {
        stuck_consumer_cursor(consumer.get(), &seen);
        return std::memcmp(seen.pixels, next.pixels.data(), next.bytes()) == 0;
    }));
    // A blob that is too small for a cursor, and one that nobody has: QEMU keeps the old pixels.
    ASSERT_STREQ(answer_name(gpu.detach(id)), "OK");
    gpu.update_cursor(id, hot_x, hot_y);
    ASSERT_STREQ(answer_name(gpu.unref(id)), "OK");
    gpu.update_cursor(id, hot_x, hot_y);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, page, {entries[0]})), "OK");
    gpu.update_cursor(id, hot_x, hot_y);
    ASSERT_STREQ(answer_name(gpu.unref(id)), "OK");
}

TEST(Cursor, FromScatteredRam)
{
    for (const bool shared : {true, false}) {
        Machine machine({.display = "dbus,p2p=yes", .shared_ram = shared});
        Gpu gpu(machine);
        expect_cursor(machine, gpu, scattered(vm_alloc(machine.raw(), 16 * page), 4, 1, 3), 1);
    }
}

TEST(Cursor, FromADevicesMemory)
{
    auto options = ground_options(Where::Ivshmem);
    options.display = "dbus,p2p=yes";
    Ground ground(options);
    expect_cursor(ground.machine, ground.gpu, scattered(ground.near_page(16), 4, 1, 3), 1);
    ground.check_alive();
}

TEST(VfioCursor, FromVram)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    auto options = ground_options(Where::Vfio);
    options.display = "dbus,p2p=yes,gl=on";
    Ground ground(options);
    expect_cursor(ground.machine, ground.gpu, scattered(ground.near_page(16), 4, 1, 3), 1);
    EXPECT_EQ(difference(ground.picture, screendump(ground.machine)), "");
}

} // namespace
} // namespace vramlink::test
