// SPDX-License-Identifier: GPL-2.0-or-later
//
// Cursors that are blobs: pixels and hot spot reach a display.

#include "tests/device/consumer.hpp"
#include "tests/device/ground.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>

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

/// Moves, hides and comes back, on the second output as on the first; each output has its own.
TEST(Cursor, MovesOnTheOutputThatItIsOn)
{
    Machine machine({.display = "dbus,p2p=yes"});
    Gpu gpu(machine);
    const auto memory = scattered(vm_alloc(machine.raw(), 16 * page), 4, 1, 3);
    const Picture cursor = paint(STUCK_CURSOR_SIZE, STUCK_CURSOR_SIZE, 1);
    put(machine, memory, cursor);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, cursor.bytes(), memory)), "OK");
    Recorder first(machine, 0), second(machine, 1);
    const unsigned start = first.count();
    gpu.update_cursor(id, hot_x, hot_y, {1, 100, 50});
    const recorded *defined =
        second.wait(RECORDED_CURSOR_DEFINE, 0, [](auto &call) { return call.x == static_cast<int>(hot_x); });
    ASSERT_TRUE(defined);
    EXPECT_EQ(defined->y, static_cast<int>(hot_y));
    ASSERT_EQ(defined->size, cursor.bytes());
    EXPECT_EQ(std::memcmp(defined->pixels, cursor.pixels.data(), cursor.bytes()), 0);
    const auto is_at = [&](int x, int y, bool on) {
        return second.wait(RECORDED_MOUSE_SET, 0, [&](auto &call) {
            return call.x == x && call.y == y && (call.on != 0) == on;
        }) != nullptr;
    };
    EXPECT_TRUE(is_at(100, 50, true));
    gpu.move_cursor(id, {1, 101, 52});
    EXPECT_TRUE(is_at(101, 52, true));
    const recorded *again = second.last(RECORDED_CURSOR_DEFINE);
    EXPECT_EQ(again, defined) << "a move defines nothing";
    gpu.move_cursor(0, {1, 7, 8});
    EXPECT_TRUE(is_at(7, 8, false)) << "hidden";
    gpu.move_cursor(id, {2, 1, 1}); // there is no such output
    gpu.move_cursor(id, {0xffffffff, 1, 1});
    for (unsigned i = start; i < first.count(); i++)
        EXPECT_NE(first.at(i).kind, RECORDED_CURSOR_DEFINE) << "the first output has no cursor";
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");
}

/// What a VNC client is told of cursors (RFC 6143 and QEMU's pseudo-encoding for cursors with alpha).
class VncClient {
  public:
    explicit VncClient(const std::string &path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        const timeval limit{patience(10), 0};
        setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
            throw std::runtime_error("no VNC server");
        get(12);
        send({'R', 'F', 'B', ' ', '0', '0', '3', '.', '0', '0', '8', '\n'});
        get(get(1)[0]); // security types
        send({1});      // none
        get(4);
        send({1}); // shared
        get(20);
        const Bytes name_length = get(4);
        get(name_length[3]);
        send({2, 0, 0, 1, 0xff, 0xff, 0xfe, 0xc6}); // -314: cursors with alpha
    }
    VncClient(const VncClient &) = delete;
    VncClient &operator=(const VncClient &) = delete;
    ~VncClient() { close(fd_); }

    struct Cursor {
        unsigned hot_x, hot_y, width, height;
        Bytes pixels;
    };
    /// The next one.
    Cursor cursor()
    {
        const Bytes header = get(4 + 12); // one update of one rectangle
        const auto number = [&](std::size_t at) -> unsigned { return header[at] << 8u | header[at + 1]; };
        get(4); // raw
        Cursor cursor{number(4), number(6), number(8), number(10), {}};
        cursor.pixels = get(std::size_t{4} * cursor.width * cursor.height);
        return cursor;
    }

  private:
    void send(const Bytes &bytes)
    {
        ASSERT_EQ(write(fd_, bytes.data(), bytes.size()), ssize_t(bytes.size()));
    }
    Bytes get(std::size_t size)
    {
        Bytes bytes(size);
        if (size && recv(fd_, bytes.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size))
            throw std::runtime_error("VNC: nothing came");
        return bytes;
    }

    int fd_;
};

TEST(Cursor, ReachesVnc)
{
    const std::string path =
        std::filesystem::temp_directory_path() / ("vramlink-vnc-" + std::to_string(getpid()));
    Machine machine({.display = "vnc=unix:" + path});
    Gpu gpu(machine);
    const auto memory = scattered(vm_alloc(machine.raw(), 16 * page), 4, 1, 3);
    const Picture cursor = paint(STUCK_CURSOR_SIZE, STUCK_CURSOR_SIZE, 1);
    put(machine, memory, cursor);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, cursor.bytes(), memory)), "OK");
    VncClient client(path);
    VncClient::Cursor seen{};
    // QEMU has a cursor of its own for a client that has just come.
    for (int i = 0; i < 3 && seen.hot_x != hot_x; i++) {
        gpu.update_cursor(id, hot_x, hot_y);
        seen = client.cursor();
    }
    EXPECT_EQ(seen.hot_x, hot_x);
    EXPECT_EQ(seen.hot_y, hot_y);
    EXPECT_EQ(seen.width, STUCK_CURSOR_SIZE);
    ASSERT_EQ(seen.pixels.size(), cursor.bytes());
    EXPECT_EQ(std::memcmp(seen.pixels.data(), cursor.pixels.data(), cursor.bytes()), 0);
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");
    std::filesystem::remove(path);
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
