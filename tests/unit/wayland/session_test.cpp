// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whole sessions: a real QEMU with several outputs, and windows on a compositor in this process. Skipped (77)
// where no qemu-system-x86_64 with a D-Bus display is installed.
//
// VRAMLINK_WINDOW_CYCLES: how often windows are opened and closed (5 without it; 1,000 takes long).

#include "tests/unit/prime/qemu_process.hpp"
#include "tests/unit/wayland/fake_compositor.hpp"
#include "tools/viewer/dbus_parts.hpp"
#include "tools/viewer/list.hpp"
#include "tools/viewer/log.hpp"
#include "tools/viewer/qmp_client.hpp"
#include "tools/viewer/screenshot.hpp"
#include "tools/viewer/session.hpp"
#include "tools/viewer/wayland/window.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/input-event-codes.h>
#include <nlohmann/json.hpp>
#include <png.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <drm_fourcc.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

namespace vramlink::test {
namespace {

bool eventually(const std::function<bool()> &reached)
{
    const int64_t limit = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    while (!reached() && g_get_monotonic_time() < limit)
        g_usleep(5000);
    return reached();
}

unsigned cycles()
{
    const char *wanted = std::getenv("VRAMLINK_WINDOW_CYCLES");
    return wanted ? static_cast<unsigned>(std::strtoul(wanted, nullptr, 10)) : 5;
}

ptrdiff_t open_fds()
{
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

/// Bytes of this process that are in memory and in no file.
uint64_t anonymous_bytes()
{
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("RssAnon:"))
            return std::strtoull(line.c_str() + 8, nullptr, 10) * 1024;
    }
    return 0;
}

class Sessions : public ::testing::Test {
  protected:
    void SetUp() override
    {
        Log::level = LogLevel::error;
        if (!std::getenv("XDG_RUNTIME_DIR"))
            setenv("XDG_RUNTIME_DIR", "/tmp", 1);
        compositor = std::make_unique<FakeCompositor>(true);
        options.qmp = fmt::format("/tmp/vramlink-session-{}.qmp", getpid());
        options.connect_timeout = 60;
        options.stats = options.qmp + ".json";
        auto opened = WaylandConnection::open(compositor->socket(), std::chrono::seconds(20));
        ASSERT_TRUE(opened) << opened.error().text;
        connection = std::move(*opened);
    }
    void TearDown() override
    {
        std::filesystem::remove(options.qmp);
        std::filesystem::remove(options.stats);
    }
    /// Runs a session on this thread while @p user does what the user does on another; the exit code.
    int run(const std::function<void()> &user)
    {
        const auto make = [this]() -> Result<std::unique_ptr<Screen>> {
            return WaylandWindow::open(*connection, {});
        };
        auto session = std::make_unique<Session>(options, Session::Screens{make});
        std::thread thread(user);
        const int code = session->run();
        thread.join();
        session = nullptr;
        EXPECT_TRUE(connection->roundtrip(std::chrono::seconds(60)));
        return code;
    }
    bool windows(int wanted)
    {
        return eventually([&] { return count() == wanted; });
    }
    int count()
    {
        return compositor->with([](auto &state) { return state.windows(); });
    }
    /// Each shows what QEMU has sent, not the neutral frame of 1024x768. (Not by counting commits: what comes
    /// before the window has its size is its first.)
    bool all_show(int wanted)
    {
        return eventually([&] {
            return compositor->with([&](auto &state) {
                int shown = 0;
                const auto look = [&](const FakeCompositor::Window &window) {
                    shown += window.toplevel && window.commits > 0 && window.width != 1024 &&
                             window.title != "vramlink-viewer";
                };
                look(state);
                for (const auto &window : state.more)
                    look(window);
                return shown == wanted;
            });
        });
    }
    nlohmann::json stats()
    {
        std::ifstream file(options.stats);
        return nlohmann::json::parse(file, nullptr, false);
    }

    std::unique_ptr<FakeCompositor> compositor;
    std::unique_ptr<WaylandConnection> connection;
    Options options;
};

TEST_F(Sessions, SeveralOutputsAreSeveralWindows)
{
    const QemuProcess qemu(options.qmp, {"-S", "-name", "desk", "-device", "virtio-gpu-pci,max_outputs=2"});
    const int code = run([&] {
        EXPECT_TRUE(all_show(3));
        compositor->close_window("desk - output 1");
        EXPECT_TRUE(windows(2)) << count();
        compositor->focus(true);
        for (const uint32_t key : {KEY_LEFTCTRL, KEY_LEFTALT, KEY_2})
            compositor->key(key, true);
        EXPECT_TRUE(windows(3)) << "it was asked for: " << count();
        EXPECT_TRUE(all_show(3));
        raise(SIGUSR1);
        EXPECT_TRUE(eventually([&] { return stats().value("outputs", nlohmann::json()).size() == 3; }));
        for (int id = 0; id < 3; id++)
            compositor->close_window(fmt::format("desk - output {}", id));
    });
    EXPECT_EQ(code, exit_ok) << "with the last window";
    EXPECT_EQ(count(), 0);
}

TEST_F(Sessions, OneOutputCanBeChosen)
{
    const QemuProcess qemu(options.qmp, {"-S", "-name", "desk", "-device", "virtio-gpu-pci,max_outputs=2"});
    options.outputs = {2};
    const int code = run([&] {
        EXPECT_TRUE(all_show(1));
        EXPECT_EQ(compositor->with([](auto &state) { return state.title; }), "desk - output 2");
        kill(getpid(), SIGTERM);
    });
    EXPECT_EQ(code, exit_ok);
    EXPECT_EQ(stats()["outputs"][0]["console"], 2);
    EXPECT_EQ(stats()["outputs"].size(), 1U);
}

TEST_F(Sessions, AnOutputThatDoesNotExistIsNamed)
{
    const QemuProcess qemu(options.qmp);
    options.outputs = {7};
    options.connect_timeout = 0;
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(options.qmp); }));
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(run([] {}), exit_connection_lost);
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("no console 7; it has 0"), std::string::npos) << said;
}

TEST_F(Sessions, ReconnectsToAVmThatHasFewerOutputsThen)
{
    options.reconnect = true;
    auto qemu = std::make_unique<QemuProcess>(
        options.qmp, std::vector<std::string>{"-S", "-device", "virtio-gpu-pci,max_outputs=2"});
    const int code = run([&] {
        EXPECT_TRUE(all_show(3));
        qemu = nullptr;
        std::filesystem::remove(options.qmp);
        qemu = std::make_unique<QemuProcess>(options.qmp, std::vector<std::string>{"-S", "-name", "again"});
        EXPECT_TRUE(windows(1)) << count();
        EXPECT_TRUE(eventually([&] {
            return compositor->with([](auto &state) {
                return state.title == "again" || (!state.more.empty() && state.more.front().title == "again");
            });
        }));
        kill(getpid(), SIGTERM);
    });
    EXPECT_EQ(code, exit_ok);
}

TEST_F(Sessions, TakesQemuBackFromAnotherClientWhenTheUserTypes)
{
    const std::string trace = options.qmp + ".trace";
    const QemuProcess qemu(options.qmp, {"-name", "desk", "-trace", "input_event_key_qcode", "-D", trace});
    const auto typed = [&] {
        std::ifstream file(trace);
        return std::string(std::istreambuf_iterator<char>(file), {}).find("qcode x") != std::string::npos;
    };
    const int code = run([&] {
        EXPECT_TRUE(all_show(1));
        auto other = qmp_join_dbus_display(options.qmp, std::chrono::seconds(5));
        ASSERT_TRUE(other) << other.error().text;
        const auto stream = stream_over(std::move(*other));
        const GObjectPtr<GDBusConnection> taken(g_dbus_connection_new_sync(
            stream.get(), nullptr, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, nullptr, nullptr, nullptr));
        ASSERT_TRUE(taken);
        EXPECT_TRUE(eventually([&] {
            const GVariantPtr answer(g_dbus_connection_call_sync(
                taken.get(), nullptr, "/org/qemu/Display1/VM", "org.freedesktop.DBus.Peer", "Ping", nullptr,
                nullptr, G_DBUS_CALL_FLAGS_NONE, -1, nullptr, nullptr));
            return answer != nullptr;
        }));
        compositor->focus(true);
        EXPECT_TRUE(eventually([&] {
            g_usleep(200'000);
            compositor->key(KEY_X, true);
            compositor->key(KEY_X, false);
            return typed();
        }));
        kill(getpid(), SIGTERM);
    });
    EXPECT_EQ(code, exit_ok);
    std::filesystem::remove(trace);
}

TEST_F(Sessions, AScreenshotIsWhatQemuShows)
{
    const QemuProcess qemu(options.qmp, {"-S", "-device", "virtio-gpu-pci,xres=800,yres=600"});
    options.outputs = {1};
    options.screenshot = options.qmp + ".png";
    ASSERT_EQ(run_screenshot(options), exit_ok);
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    ASSERT_TRUE(png_image_begin_read_from_file(&image, options.screenshot.c_str())) << &image.message[0];
    image.format = PNG_FORMAT_GRAY;
    std::vector<uint8_t> pixels(PNG_IMAGE_SIZE(image));
    ASSERT_TRUE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr));
    EXPECT_GE(image.width, 640U);
    EXPECT_GE(image.height, 400U);
    EXPECT_GT(std::ranges::count(pixels, 0), 1000);
    EXPECT_GT(std::ranges::count_if(pixels, [](uint8_t grey) { return grey > 128; }), 100)
        << "QEMU's sentence about the display";
    options.screenshot = "/nonexistent/a.png";
    EXPECT_EQ(run_screenshot(options), exit_internal);
    std::filesystem::remove(options.qmp + ".png");
}

TEST_F(Sessions, AListNamesTheOutputs)
{
    const QemuProcess qemu(options.qmp, {"-S", "-name", "desk", "-device", "virtio-gpu-pci,max_outputs=2"});
    options.json = true;
    ::testing::internal::CaptureStdout();
    ASSERT_EQ(run_list(options), exit_ok);
    const auto listed = nlohmann::json::parse(::testing::internal::GetCapturedStdout(), nullptr, false);
    ASSERT_EQ(listed["name"], "desk");
    ASSERT_EQ(listed["outputs"].size(), 3U);
    EXPECT_EQ(listed["outputs"][2]["output"], 2);
    EXPECT_EQ(listed["outputs"][2]["head"], 1);
    EXPECT_TRUE(listed["outputs"][2]["plan"].is_null()) << "no device of vramlink's";
    EXPECT_GT(listed["outputs"][0]["width"], 0);
    options.qmp = "/tmp/vramlink-no-such-socket";
    options.connect_timeout = 0;
    EXPECT_EQ(run_list(options), exit_connection_lost);
}

/// More outputs than one virtio-gpu has.
TEST_F(Sessions, TwentyFourOutputsOpenedAndClosedLeaveNothing)
{
    constexpr int outputs = 24; // of two: one has 16 at most
    options.outputs.clear();
    for (unsigned id = 1; id <= outputs; id++)
        options.outputs.push_back(id);
    // QEMU 10.0 never frees a listener and its socket (its filter on the listener's connection holds a
    // reference to the listener): it is another one before its descriptors run out.
    constexpr unsigned cycles_of_a_qemu = 250;
    std::optional<QemuProcess> qemu;
    ptrdiff_t fds = 0;
    uint64_t memory = 0;
    const unsigned all = cycles() + 2; // what is made once is made by the second
    for (unsigned cycle = 0; cycle < all; cycle++) {
        if (cycle % cycles_of_a_qemu == 0) {
            qemu.reset();
            qemu.emplace(options.qmp,
                         std::vector<std::string>{"-S", "-device", "virtio-gpu-pci,max_outputs=16", "-device",
                                                  "virtio-gpu-pci,max_outputs=8"});
        }
        const int code = run([&] {
            EXPECT_TRUE(all_show(outputs)) << count();
            kill(getpid(), SIGTERM);
        });
        ASSERT_EQ(code, exit_ok) << "cycle " << cycle;
        ASSERT_EQ(count(), 0);
        if (cycle == 1) {
            fds = open_fds();
            memory = anonymous_bytes();
        }
    }
    // GIO's worker closes sockets when it comes to it.
    EXPECT_TRUE(eventually([&] { return open_fds() <= fds; })) << open_fds() << " were " << fds;
    const uint64_t now = anonymous_bytes();
    EXPECT_LT(now, memory + (8U << 20)) << "after " << cycles() << " cycles; it was " << memory;
    RecordProperty("cycles", static_cast<int>(cycles()));
    fmt::print("{} cycles of {} outputs: {} fds, were {}; {} KiB, were {}\n", cycles(), outputs, open_fds(),
               fds, now / 1024, memory / 1024);
}

/// The same with dma-bufs on them, and more windows than QEMU has outputs.
TEST_F(Sessions, TwentyFourWindowsWithBuffersLeaveNothing)
{
    constexpr unsigned windows_at_once = 24, width = 64, height = 32;
    ptrdiff_t fds = 0;
    uint64_t memory = 0;
    connection->listen([](const std::string &why) { FAIL() << why; });
    for (unsigned cycle = 0; cycle < cycles() + 2; cycle++) {
        std::vector<std::unique_ptr<WaylandWindow>> screens;
        std::vector<std::unique_ptr<Presenter>> presenters;
        int answered = 0;
        for (unsigned i = 0; i < windows_at_once; i++) {
            screens.push_back(*WaylandWindow::open(*connection, {}));
            presenters.push_back(std::make_unique<Presenter>(*screens.back(), [](const std::string &) {}));
            presenters.back()->connected();
            UniqueFd fd(memfd_create("frame", MFD_CLOEXEC));
            ASSERT_EQ(ftruncate(fd.get(), width * height * 4), 0);
            presenters.back()->scanout_dmabuf(
                {std::move(fd),
                 {width, height, width * 4, 0, DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_INVALID},
                 false,
                 false});
            presenters.back()->update_dmabuf({}, Completion([&answered] { ++answered; }));
        }
        const int64_t limit = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
        while (answered < static_cast<int>(windows_at_once) && g_get_monotonic_time() < limit)
            g_main_context_iteration(nullptr, TRUE);
        ASSERT_EQ(answered, static_cast<int>(windows_at_once));
        EXPECT_EQ(compositor->with([](auto &state) { return state.dmabufs_live; }),
                  static_cast<int>(windows_at_once));
        for (const auto &presenter : presenters)
            presenter->leave();
        EXPECT_EQ(compositor->with([](auto &state) { return state.dmabufs_live; }), 0);
        presenters.clear();
        screens.clear();
        ASSERT_TRUE(connection->roundtrip(std::chrono::seconds(60)));
        if (cycle == 1) {
            fds = open_fds();
            memory = anonymous_bytes();
        }
    }
    EXPECT_EQ(count(), 0);
    EXPECT_EQ(open_fds(), fds);
    const uint64_t now = anonymous_bytes();
    EXPECT_LT(now, memory + (8U << 20)) << "it was " << memory;
    fmt::print("{} cycles of {} windows: {} fds, were {}; {} KiB, were {}\n", cycles(), windows_at_once,
               open_fds(), fds, now / 1024, memory / 1024);
}

} // namespace
} // namespace vramlink::test

int main(int argc, char **argv)
{
    return vramlink::test::run_tests_with_qemu(argc, argv);
}
