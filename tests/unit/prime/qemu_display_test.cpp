// SPDX-License-Identifier: GPL-2.0-or-later
//
// The D-Bus side against a real QEMU, without a GPU and without a guest: join over QMP, receive pixels, see
// QEMU leave. Skipped (77) where no qemu-system-x86_64 with a D-Bus display is installed.

#include "tests/unit/prime/qemu_process.hpp"
#include "tests/unit/prime/until.hpp"
#include "tools/viewer/display_client.hpp"
#include "tools/viewer/qmp_client.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/input-event-codes.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>

namespace vramlink::test {
namespace {

class Recorder final : public DisplaySink {
  public:
    void scanout(const Pixels &frame) override
    {
        ++scanouts;
        width = frame.width;
        height = frame.height;
        for (const uint8_t byte : frame.data)
            lit = lit || byte != 0;
    }
    void update(uint32_t, uint32_t, const Pixels &) override { ++updates; }
    void scanout_dmabuf(DmabufFrame) override { ++dmabufs; }
    void update_dmabuf(const Rect &, Completion) override {}
    void disable() override {}
    void connected() override { ++joined; }
    void disconnected(const std::string &why) override { reason = why; }

    int joined = 0, scanouts = 0, updates = 0, dmabufs = 0;
    uint32_t width = 0, height = 0;
    bool lit = false; ///< some pixel is not black
    std::string reason;
};

Result<UniqueFd> join(const std::string &socket)
{
    const int64_t limit = g_get_monotonic_time() + patience_us;
    for (;;) {
        auto joined = qmp_join_dbus_display(socket, std::chrono::seconds(5));
        if (joined || g_get_monotonic_time() > limit)
            return joined;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

class QemuDisplay : public ::testing::Test {
  protected:
    const std::string socket = fmt::format("/tmp/vramlink-test-{}.qmp", getpid());
    void TearDown() override { std::filesystem::remove(socket); }
    /// Connects, and has @p client register once QEMU's objects are known.
    void connect(DisplayClient &client)
    {
        connection.on_ready = [&] { client.join(connection); };
        connection.on_lost = [&](const std::string &why) { main_lost = why; };
        auto ours = join(socket);
        ASSERT_TRUE(ours.has_value()) << ours.error().text;
        connection.connect_peer(std::move(*ours));
    }
    DisplayConnection connection;
    std::string main_lost;
};

TEST_F(QemuDisplay, JoinsReceivesPixelsAndSeesQemuLeave)
{
    QemuProcess qemu(socket);
    Recorder recorder;
    DisplayClient client(recorder, 0);
    ASSERT_NO_FATAL_FAILURE(connect(client));
    ASSERT_TRUE(until([&] { return recorder.scanouts > 0 || !recorder.reason.empty(); }));
    EXPECT_EQ(recorder.reason, "");
    EXPECT_EQ(recorder.joined, 1);
    EXPECT_GE(recorder.width, 320U);
    EXPECT_GE(recorder.height, 200U);
    EXPECT_TRUE(recorder.lit) << "QEMU writes that the guest has not initialized the display";

    qemu.stop();
    ASSERT_TRUE(until([&] { return !recorder.reason.empty(); }));
    EXPECT_NE(recorder.reason.find("the connection to QEMU ended"), std::string::npos) << recorder.reason;
}

std::string content_of(const std::string &path)
{
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

int count_of(std::string_view word, std::string_view text)
{
    int count = 0;
    for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1))
        count++;
    return count;
}

/// Presses a key until QEMU's trace tells of it: the machine must run first.
void press_until_heard(DisplayClient &client, const Recorder &recorder, const std::string &trace)
{
    ASSERT_TRUE(until([&] {
        client.input().key(KEY_RIGHTALT, true);
        client.input().key(KEY_RIGHTALT, false);
        return count_of("key qcode alt_r, down 0", content_of(trace)) > 0;
    })) << recorder.reason
        << content_of(trace);
}

/// QEMU's trace is the witness: what reaches its input layer goes to the guest's devices.
TEST_F(QemuDisplay, KeysAndThePointerReachQemusInputLayer)
{
    const std::string trace = socket + ".trace";
    QemuProcess qemu(socket, {"-device", "virtio-tablet-pci", "-trace", "input_event_*", "-D", trace});
    Recorder recorder;
    DisplayClient client(recorder, 0);
    ASSERT_NO_FATAL_FAILURE(connect(client));
    const auto text = [&] { return content_of(trace); };
    ASSERT_NO_FATAL_FAILURE(press_until_heard(client, recorder, trace));
    client.input().button(BTN_RIGHT, true);
    client.input().wheel(0, -1);
    client.input().touch(TouchKind::begin, 0, 10, 20);
    client.input().touch(TouchKind::end, 0, 10, 20);
    EXPECT_TRUE(until([&] {
        return text().find("button right, down 1") != std::string::npos &&
               text().find("button wheel-up, down 0") != std::string::npos &&
               text().find("input_event_mtt") != std::string::npos;
    })) << text();
    std::filesystem::remove(trace);
}

/// For each finger on the glass QEMU tells the guest of a slot and two coordinates, whichever finger moved.
TEST_F(QemuDisplay, ACancelledFingerIsLifted)
{
    const std::string trace = socket + ".trace";
    QemuProcess qemu(socket, {"-device", "virtio-multitouch-pci", "-trace", "input_event_*", "-D", trace});
    Recorder recorder;
    DisplayClient client(recorder, 0);
    ASSERT_NO_FATAL_FAILURE(connect(client));
    ASSERT_NO_FATAL_FAILURE(press_until_heard(client, recorder, trace));
    client.input().touch(TouchKind::begin, 0, 10, 20);
    client.input().touch(TouchKind::cancel, 0, 0, 0);
    client.input().touch(TouchKind::begin, 1, 30, 40);
    client.input().button(BTN_RIGHT, true); // after all that
    EXPECT_TRUE(until([&] { return count_of("button right, down 1", content_of(trace)) == 1; }));
    EXPECT_EQ(count_of("input_event_mtt", content_of(trace)), 3 + 1 + 3) << content_of(trace);
    std::filesystem::remove(trace);
}

/// What the guest then sees is a device test's (tests/device/test_scanouts.cpp).
TEST_F(QemuDisplay, TellsQemuItsWindowsSize)
{
    const QemuProcess qemu(socket);
    Recorder recorder;
    DisplayClient client(recorder, 0);
    client.set_window({1600, 900, 400, 225});
    EXPECT_FALSE(client.window_told());
    ASSERT_NO_FATAL_FAILURE(connect(client));
    EXPECT_TRUE(until([&] { return client.window_told() || !recorder.reason.empty(); }));
    EXPECT_EQ(recorder.reason, "");
}

TEST_F(QemuDisplay, JoinsAgainAfterDisconnecting)
{
    const QemuProcess qemu(socket);
    Recorder recorder;
    DisplayClient client(recorder, 0);
    for (int round = 1; round <= 3; round++) {
        ASSERT_NO_FATAL_FAILURE(connect(client));
        const int before = recorder.scanouts;
        ASSERT_TRUE(until([&] { return recorder.scanouts > before; })) << recorder.reason;
        client.disconnect();
        EXPECT_EQ(recorder.joined, round);
    }
    EXPECT_EQ(recorder.reason, "") << "our own disconnect() is no loss";
}

TEST_F(QemuDisplay, UnknownConsoleIsAReason)
{
    const QemuProcess qemu(socket);
    Recorder recorder;
    DisplayClient client(recorder, 9);
    ASSERT_NO_FATAL_FAILURE(connect(client));
    ASSERT_TRUE(until([&] { return !recorder.reason.empty(); }));
    EXPECT_NE(recorder.reason.find("RegisterListener"), std::string::npos) << recorder.reason;
}

TEST_F(QemuDisplay, TheVmAndItsConsolesAreDescribed)
{
    const QemuProcess qemu(socket, {"-S", "-name", "desk", "-device", "virtio-gpu-pci,max_outputs=2"});
    Recorder recorder;
    DisplayClient client(recorder, 1);
    ASSERT_NO_FATAL_FAILURE(connect(client));
    ASSERT_TRUE(until([&] { return recorder.scanouts > 0 || !recorder.reason.empty(); }));
    const VmInfo &vm = connection.vm();
    EXPECT_EQ(vm.name, "desk");
    ASSERT_EQ(vm.consoles.size(), 3U);
    EXPECT_TRUE(vm.consoles[0].graphic);
    EXPECT_EQ(vm.consoles[1].head, 0U);
    EXPECT_EQ(vm.consoles[2].head, 1U) << "of the second device";
    EXPECT_NE(vm.consoles[0].device, vm.consoles[1].device);
    EXPECT_EQ(vm.consoles[1].width, recorder.width);
    EXPECT_EQ(vm.console(3), nullptr);
}

TEST_F(QemuDisplay, TwoConsolesShareOneConnection)
{
    QemuProcess qemu(socket, {"-S", "-device", "virtio-gpu-pci"});
    Recorder first, second;
    DisplayClient one(first, 0), other(second, 1);
    ASSERT_NO_FATAL_FAILURE(connect(one));
    connection.on_ready = [&] {
        one.join(connection);
        other.join(connection);
    };
    ASSERT_TRUE(until([&] { return first.scanouts > 0 && second.scanouts > 0; }))
        << first.reason << second.reason;
    one.disconnect();
    EXPECT_TRUE(connection.is_up()) << "the other one's as well";
    EXPECT_TRUE(other.has_joined());
    one.join(connection);
    ASSERT_TRUE(until([&] { return first.joined == 2; })) << first.reason;

    qemu.stop();
    EXPECT_TRUE(until([&] { return !second.reason.empty() && !main_lost.empty(); }));
}

/// QEMU speaks of its consoles with the client that came last.
TEST_F(QemuDisplay, TheListenerOutlivesTheConnection)
{
    const QemuProcess qemu(socket);
    Recorder first, second;
    DisplayClient one(first, 0), other(second, 0);
    ASSERT_NO_FATAL_FAILURE(connect(one));
    ASSERT_TRUE(until([&] { return first.scanouts > 0; })) << first.reason;
    DisplayConnection later;
    later.on_ready = [&] { other.join(later); };
    auto ours = join(socket);
    ASSERT_TRUE(ours.has_value()) << ours.error().text;
    later.connect_peer(std::move(*ours));
    ASSERT_TRUE(until([&] { return !main_lost.empty() && other.has_joined(); }));
    EXPECT_TRUE(one.has_joined());
    EXPECT_EQ(first.reason, "");

    int needed = 0;
    one.input().on_needed = [&] { ++needed; };
    one.input().key(KEY_A, true);
    EXPECT_EQ(needed, 1) << "there is no way to QEMU for it";
    one.follow(later);
    one.input().key(KEY_A, false);
    EXPECT_EQ(needed, 1);
    EXPECT_EQ(one.input().events(), 1U);
}

TEST(QmpJoin, NobodyThere)
{
    EXPECT_EQ(qmp_join_dbus_display("/tmp/vramlink-no-such-socket", std::chrono::seconds(1)).error().code,
              ENOENT);
    EXPECT_EQ(qmp_join_dbus_display(std::string(300, 'x'), std::chrono::seconds(1)).error().code,
              ENAMETOOLONG);
}

} // namespace
} // namespace vramlink::test

int main(int argc, char **argv)
{
    return vramlink::test::run_tests_with_qemu(argc, argv);
}
