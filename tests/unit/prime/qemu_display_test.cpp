// SPDX-License-Identifier: GPL-2.0-or-later
//
// The D-Bus side against a real QEMU, without a GPU and without a guest: join over QMP, receive pixels, see
// QEMU leave. Skipped (77) where no qemu-system-x86_64 with a D-Bus display is installed.

#include "tools/viewer/display_client.hpp"
#include "tools/viewer/qmp_client.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/input-event-codes.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

namespace vramlink::test {
namespace {

constexpr int skip_code = 77;
constexpr int64_t patience_us = 20 * G_USEC_PER_SEC;

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

class QemuProcess {
  public:
    /// @p options: more of the command line; the machine runs then, otherwise it stays stopped.
    explicit QemuProcess(const std::string &socket, const std::vector<std::string> &options = {})
    {
        const std::string qmp = "unix:" + socket + ",server=on,wait=off";
        pid_ = fork();
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            std::vector<const char *> words{
                "qemu-system-x86_64", "-nodefaults", "-accel",         "tcg",  "-m",       "64", "-display",
                "dbus,p2p=yes",       "-device",     "virtio-gpu-pci", "-qmp", qmp.c_str()};
            for (const std::string &option : options)
                words.push_back(option.c_str());
            if (options.empty())
                words.push_back("-S");
            words.push_back(nullptr);
            execvp(words.front(), const_cast<char *const *>(words.data()));
            _exit(127);
        }
    }
    QemuProcess(const QemuProcess &) = delete;
    QemuProcess &operator=(const QemuProcess &) = delete;
    ~QemuProcess() { stop(); }

    void stop()
    {
        if (pid_ <= 0)
            return;
        kill(pid_, SIGKILL);
        waitpid(std::exchange(pid_, -1), nullptr, 0);
    }

  private:
    pid_t pid_ = -1;
};

bool iterate_until(const std::function<bool()> &reached)
{
    const int64_t limit = g_get_monotonic_time() + patience_us;
    while (!reached() && g_get_monotonic_time() < limit) {
        if (!g_main_context_iteration(nullptr, FALSE))
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return reached();
}

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
};

TEST_F(QemuDisplay, JoinsReceivesPixelsAndSeesQemuLeave)
{
    QemuProcess qemu(socket);
    Recorder recorder;
    DisplayClient client(recorder, 0);
    auto ours = join(socket);
    ASSERT_TRUE(ours.has_value()) << ours.error().text;
    client.connect_peer(std::move(*ours));
    ASSERT_TRUE(iterate_until([&] { return recorder.scanouts > 0 || !recorder.reason.empty(); }));
    EXPECT_EQ(recorder.reason, "");
    EXPECT_EQ(recorder.joined, 1);
    EXPECT_GE(recorder.width, 320U);
    EXPECT_GE(recorder.height, 200U);
    EXPECT_TRUE(recorder.lit) << "QEMU writes that the guest has not initialized the display";

    qemu.stop();
    ASSERT_TRUE(iterate_until([&] { return !recorder.reason.empty(); }));
    EXPECT_NE(recorder.reason.find("the connection to QEMU ended"), std::string::npos) << recorder.reason;
}

/// QEMU's trace is the witness: what reaches its input layer goes to the guest's devices.
TEST_F(QemuDisplay, KeysAndThePointerReachQemusInputLayer)
{
    const std::string trace = socket + ".trace";
    QemuProcess qemu(socket, {"-device", "virtio-tablet-pci", "-trace", "input_event_*", "-D", trace});
    Recorder recorder;
    DisplayClient client(recorder, 0);
    auto ours = join(socket);
    ASSERT_TRUE(ours.has_value()) << ours.error().text;
    client.connect_peer(std::move(*ours));
    const auto text = [&] {
        std::ifstream file(trace);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    ASSERT_TRUE(iterate_until([&] {
        client.input().key(KEY_RIGHTALT, true); // again and again: the machine must run first
        client.input().key(KEY_RIGHTALT, false);
        return text().find("key qcode alt_r, down 0") != std::string::npos;
    })) << recorder.reason
        << text();
    client.input().button(BTN_RIGHT, true);
    client.input().wheel(0, -1);
    EXPECT_TRUE(iterate_until([&] {
        return text().find("button right, down 1") != std::string::npos &&
               text().find("button wheel-up, down 0") != std::string::npos;
    })) << text();
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
    auto ours = join(socket);
    ASSERT_TRUE(ours.has_value()) << ours.error().text;
    client.connect_peer(std::move(*ours));
    EXPECT_TRUE(iterate_until([&] { return client.window_told() || !recorder.reason.empty(); }));
    EXPECT_EQ(recorder.reason, "");
}

TEST_F(QemuDisplay, JoinsAgainAfterDisconnecting)
{
    const QemuProcess qemu(socket);
    Recorder recorder;
    DisplayClient client(recorder, 0);
    for (int round = 1; round <= 3; round++) {
        auto ours = join(socket);
        ASSERT_TRUE(ours.has_value()) << ours.error().text;
        client.connect_peer(std::move(*ours));
        const int before = recorder.scanouts;
        ASSERT_TRUE(iterate_until([&] { return recorder.scanouts > before; })) << recorder.reason;
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
    auto ours = join(socket);
    ASSERT_TRUE(ours.has_value()) << ours.error().text;
    client.connect_peer(std::move(*ours));
    ASSERT_TRUE(iterate_until([&] { return !recorder.reason.empty(); }));
    EXPECT_NE(recorder.reason.find("RegisterListener"), std::string::npos) << recorder.reason;
}

TEST(QmpJoin, NobodyThere)
{
    EXPECT_EQ(qmp_join_dbus_display("/tmp/vramlink-no-such-socket", std::chrono::seconds(1)).error().code,
              ENOENT);
    EXPECT_EQ(qmp_join_dbus_display(std::string(300, 'x'), std::chrono::seconds(1)).error().code,
              ENAMETOOLONG);
}

bool qemu_has_dbus_display()
{
    FILE *help = popen("qemu-system-x86_64 -display help 2>/dev/null", "r"); // NOLINT: a fixed command
    if (!help)
        return false;
    bool found = false;
    char line[256];
    while (std::fgets(line, sizeof(line), help))
        found = found || std::string(line) == "dbus\n";
    return pclose(help) == 0 && found;
}

} // namespace
} // namespace vramlink::test

int main(int argc, char **argv)
{
    if (!vramlink::test::qemu_has_dbus_display()) {
        fmt::print("SKIP: no qemu-system-x86_64 with a D-Bus display\n");
        return vramlink::test::skip_code;
    }
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
