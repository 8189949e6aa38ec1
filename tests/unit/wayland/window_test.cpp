// SPDX-License-Identifier: GPL-2.0-or-later
//
// Presenter and WaylandWindow against a compositor that does as it is told: what is imported and shown, when
// the guest hears of it, and what is held after it was taken away.

#include "tests/unit/prime/until.hpp"
#include "tests/unit/wayland/fake_compositor.hpp"
#include "tools/viewer/log.hpp"
#include "tools/viewer/overlay_text.hpp"
#include "tools/viewer/presenter.hpp"
#include "tools/viewer/stats.hpp"
#include "tools/viewer/wayland/window.hpp"

#include <drm_fourcc.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

namespace vramlink::test {
namespace {

constexpr int64_t moment_us = 60'000; ///< for what must not happen
constexpr uint32_t width = 320, height = 200;

/// A memfd in the place of a dma-buf: an inode of its own, a size, and mmap.
UniqueFd buffer(uint8_t fill)
{
    UniqueFd fd(memfd_create("frame", MFD_CLOEXEC));
    const std::vector<uint8_t> bytes(size_t{width} * height * 4, fill);
    EXPECT_EQ(write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    return fd;
}

class Window : public ::testing::Test {
  protected:
    void SetUp() override
    {
        Log::level = LogLevel::error;
        if (!std::getenv("XDG_RUNTIME_DIR"))
            setenv("XDG_RUNTIME_DIR", "/tmp", 1);
    }
    void open(bool dmabuf = true)
    {
        compositor = std::make_unique<FakeCompositor>(dmabuf);
        auto opened = WaylandConnection::open(compositor->socket(), std::chrono::seconds(20));
        ASSERT_TRUE(opened) << opened.error().text;
        connection = std::move(*opened);
        window = *WaylandWindow::open(*connection, {});
        window->listen([this](const std::string &why) { gone = why; });
        presenter = std::make_unique<Presenter>(*window, [](const std::string &) {});
        presenter->allow_copy(true);
        presenter->connected();
        ASSERT_TRUE(until([this] { return commits() > 0; })) << "the neutral frame";
    }
    void TearDown() override
    {
        presenter.reset();
        window.reset();
        connection.reset();
        if (compositor) {
            EXPECT_TRUE(until([this] { return state().dmabufs_live == 0 && !state().surface; }));
        }
        EXPECT_EQ(gone, "") << "the compositor ended the connection";
    }

    FakeCompositor::State state()
    {
        return compositor->with([](auto &now) { return now; });
    }
    int commits() { return state().commits; }
    void set(bool FakeCompositor::State::*what, bool value)
    {
        compositor->with([&](auto &now) { now.*what = value; });
    }
    static DmabufFrame frame_of(const UniqueFd &fd)
    {
        return {UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)),
                {width, height, width * 4, 0, DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_INVALID},
                false,
                false};
    }
    void show(const UniqueFd &fd, Rect damage = {})
    {
        presenter->scanout_dmabuf(frame_of(fd));
        presenter->update_dmabuf(damage, Completion([this] { ++answered; }));
    }
    /// Opens the window; the compositor keeps what it has been shown from then on.
    void show_b_while_a_is_held()
    {
        open();
        show(a);
        ASSERT_TRUE(answers(1));
        set(&FakeCompositor::State::releases, false);
        show(b);
        ASSERT_TRUE(until([this] { return commits() == 3; }));
    }
    bool answers(int wanted)
    {
        return until([&] { return answered >= wanted; });
    }

    std::unique_ptr<FakeCompositor> compositor;
    std::unique_ptr<WaylandConnection> connection;
    std::unique_ptr<WaylandWindow> window;
    std::unique_ptr<Presenter> presenter;
    std::string gone;
    int answered = 0;
    const UniqueFd a = buffer(1), b = buffer(2);
};

TEST_F(Window, FramesOfTwoBuffersAreTwoImports)
{
    open();
    for (int i = 0; i < 20; i++) {
        show(i % 2 ? a : b);
        ASSERT_TRUE(answers(i + 1));
    }
    EXPECT_EQ(state().imports, 2);
    EXPECT_TRUE(state().shows_dmabuf);
    EXPECT_EQ(state().width, int32_t{width}) << "the window follows the guest";
    EXPECT_EQ(presenter->counters().frames_flipped, 20U);
    EXPECT_EQ(presenter->counters().bytes_copied, 0U);
    EXPECT_EQ(count_dmabuf_fds(), 0U);
}

TEST_F(Window, TheGuestWaitsForTheCompositorToAskForAFrame)
{
    open();
    set(&FakeCompositor::State::asks_for_frames, false);
    show(a);
    EXPECT_FALSE(until([this] { return answered > 0; }, moment_us));
    presenter->update_dmabuf({0, 0, 10, 10}, Completion([this] { ++answered; }));
    presenter->update_dmabuf({50, 0, 10, 10}, Completion([this] { ++answered; }));
    EXPECT_EQ(state().commits, 2) << "one commit at a time";
    compositor->ask_for_frames();
    ASSERT_TRUE(answers(1));
    EXPECT_EQ(answered, 1) << "the other two are in the next commit";
    ASSERT_TRUE(until([this] { return commits() == 3; }));
    EXPECT_EQ(state().damage_width, 60) << "the damage of both";
    compositor->ask_for_frames();
    EXPECT_TRUE(answers(3));
}

TEST_F(Window, TheGuestWaitsForTheReleaseOfTheBufferBefore)
{
    ASSERT_NO_FATAL_FAILURE(show_b_while_a_is_held());
    EXPECT_FALSE(until([this] { return answered > 1; }, moment_us)) << "a is still looked at";
    compositor->release_held();
    EXPECT_TRUE(answers(2));
}

TEST_F(Window, AHiddenWindowDoesNotStopTheGuest)
{
    open();
    set(&FakeCompositor::State::asks_for_frames, false);
    const int64_t start = g_get_monotonic_time();
    for (int i = 0; i < 5; i++) {
        show(i % 2 ? a : b);
        ASSERT_TRUE(answers(i + 1));
    }
    EXPECT_GT(g_get_monotonic_time() - start, 1'000'000) << "nor does it let the guest run free";
    EXPECT_EQ(collect_stats(*presenter)["frames_hidden"], 5);
    EXPECT_EQ(presenter->counters().flips_failed, 0U);
    compositor->ask_for_frames();
    set(&FakeCompositor::State::asks_for_frames, true);
    show(a);
    EXPECT_TRUE(answers(6));
}

TEST_F(Window, DisableLetsGoBeforeItReturns)
{
    ASSERT_NO_FATAL_FAILURE(show_b_while_a_is_held());
    presenter->disable();
    EXPECT_EQ(state().dmabufs_live, 0) << "not one main loop's turn later";
    EXPECT_FALSE(state().shows_dmabuf) << "the neutral frame";
    EXPECT_NE(state().shown, nullptr) << "the window stays";
    EXPECT_EQ(answered, 2);
    EXPECT_EQ(presenter->counters().revocations, 1U);

    set(&FakeCompositor::State::releases, true);
    show(a);
    ASSERT_TRUE(answers(3));
    EXPECT_TRUE(state().shows_dmabuf) << "and it comes back by itself";
}

TEST_F(Window, ARefusedImportIsCopiedAndTheTitleSaysWhy)
{
    open();
    set(&FakeCompositor::State::refuses_imports, true);
    for (int i = 0; i < 5; i++) {
        show(a);
        ASSERT_TRUE(answers(i + 1));
    }
    EXPECT_EQ(state().imports, 1) << "the compositor is asked once, not once a frame";
    EXPECT_FALSE(state().shows_dmabuf);
    EXPECT_EQ(presenter->counters().bytes_copied, 5U * width * height * 4);
    EXPECT_EQ(presenter->showing(), Presenter::Showing::pixels);
    EXPECT_TRUE(until([this] { return state().title.find("EIO") != std::string::npos; })) << state().title;

    set(&FakeCompositor::State::refuses_imports, false);
    show(b);
    ASSERT_TRUE(answers(6));
    EXPECT_TRUE(state().shows_dmabuf);
    EXPECT_TRUE(until([this] { return state().title.find("EIO") == std::string::npos; })) << state().title;
}

TEST_F(Window, ACopiedFrameWithoutAnUpdateIsShownToo)
{
    open(false);
    show(a);
    ASSERT_TRUE(answers(1));
    const int before = commits();
    presenter->scanout_dmabuf(frame_of(b)); // as QEMU announces its own surfaces
    EXPECT_TRUE(until([&] { return commits() > before; }));
    EXPECT_EQ(presenter->counters().bytes_copied, 2U * width * height * 4);
}

TEST_F(Window, ACompositorWithoutDmabufsIsNamed)
{
    open(false);
    show(a);
    ASSERT_TRUE(answers(1));
    const auto stats = collect_stats(*presenter);
    EXPECT_EQ(stats["showing"], "pixels");
    EXPECT_NE(stats["note"].get<std::string>().find("zwp_linux_dmabuf_v1"), std::string::npos)
        << stats["note"];
    EXPECT_EQ(stats["imports"][0]["error"], stats["note"]);
}

TEST_F(Window, TheGuestHearsOfANewSizeOnceTheDragIsOver)
{
    open();
    std::vector<ScreenSize> told;
    window->on_resized = [&](const ScreenSize &size) { told.push_back(size); };
    show(a);
    ASSERT_TRUE(answers(1));
    for (int side = 400; side <= 500; side += 20)
        compositor->configure(side, side, false);
    ASSERT_TRUE(until([&] { return !told.empty() && told.back().width != 0; }));
    EXPECT_EQ(told.back().width, 500U);
    EXPECT_EQ(told.size(), 1U);
    compositor->configure(1280, 720, true);
    ASSERT_TRUE(until([&] { return told.back().width == 1280; }));
    EXPECT_EQ(state().height, 720);
    EXPECT_EQ(state().width, 1152) << "in its shape";
}

TEST_F(Window, TheOverlayLeavesTheGuestsBufferAlone)
{
    open();
    show(a);
    ASSERT_TRUE(answers(1));
    const int before = commits();
    window->overlay_content = [this] { return overlay_lines(collect_stats(*presenter)); };
    window->toggle_overlay();
    const auto drawn = [this] {
        const auto now = state();
        return now.more.size() == 1 ? now.more.front().lit : 0;
    };
    ASSERT_TRUE(until([&] { return drawn() > 500; })) << drawn();
    EXPECT_TRUE(until([this] { return state().more.front().commits >= 3; })) << "it is kept up to date";
    EXPECT_EQ(commits(), before) << "the guest's buffer was not committed again";
    EXPECT_EQ(state().imports, 1);
    EXPECT_TRUE(state().shows_dmabuf);
    show(b);
    EXPECT_TRUE(answers(2)) << "and the guest goes on";
    window->toggle_overlay();
    EXPECT_TRUE(until([this] { return state().more.empty(); }));
}

TEST_F(Window, ClosingIsToldAndACompositorThatDiesIsNamed)
{
    open();
    bool closed = false;
    window->on_closed = [&] { closed = true; };
    compositor->close_window();
    EXPECT_TRUE(until([&] { return closed; }));
    show(a);
    ASSERT_TRUE(answers(1));
    compositor.reset();
    EXPECT_TRUE(until([this] { return !gone.empty(); }));
    EXPECT_NE(gone.find("the compositor"), std::string::npos) << gone;
    gone.clear();
    show(b); // answered even so
    EXPECT_TRUE(answers(2));
}

TEST(NoCompositor, IsAnError)
{
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    const auto opened = WaylandConnection::open("wayland-none", std::chrono::seconds(1));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ENOENT);
    EXPECT_NE(opened.error().text.find("wayland-none"), std::string::npos) << opened.error().text;
}

} // namespace
} // namespace vramlink::test
