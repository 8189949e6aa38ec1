// SPDX-License-Identifier: GPL-2.0-or-later
//
// No tearing: a guest that paints into a buffer as soon as the fence of its RESOURCE_FLUSH has come back
// never makes a display show half of two frames. Each frame has one value in all its pixels; displays look at
// it in two halves, with a pause.
//
// The tests that begin with Vfio run in the lab, where a render node and /dev/udmabuf make dma-bufs that a
// display can be handed and that can be read.

#include "tests/device/consumer.hpp"
#include "tests/device/painter.hpp"
#include "tests/device/repeat.hpp"
#include "tests/device/rfb_watcher.hpp"
#include "tests/device/shared.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>

namespace vramlink::test {
namespace {

constexpr std::uint32_t first_id = 10;
constexpr std::uint32_t width = 320, height = 240;
constexpr unsigned pause_us = 500; ///< of the painter

/// A guest with one or two buffers.
class Guest {
  public:
    explicit Guest(const std::string &display) : machine({.display = display}), gpu(machine)
    {
        for (auto &buffer : canvas)
            buffer.emplace(machine, width, height);
        begin();
    }
    /// One for all tests of the suite (shared.hpp).
    static Guest &shared(const std::string &display)
    {
        const Machine::Options options{.display = display};
        Guest *left = Shared::take_over<Guest>(options);
        if (left == nullptr)
            return Shared::leave(options, std::make_unique<Guest>(display));
        left->gpu.reset();
        left->begin();
        return *left;
    }

    /// Paints frames into the buffer that is shown, each as soon as the one before has been answered.
    void repaint(std::uint32_t frames)
    {
        for (; frames > 0; frames--) {
            canvas[0]->fill(++frame, pause_us);
            ASSERT_STREQ(answer_name(gpu.fenced_flush(first_id, canvas[0]->whole())), "OK");
        }
    }

    /// Paints frames into the buffer that is not shown, and flips.
    void flip(std::uint32_t frames)
    {
        for (; frames > 0; frames--) {
            const std::uint32_t i = ++frame % 2;
            canvas[i]->fill(frame, pause_us);
            ASSERT_STREQ(answer_name(gpu.set_scanout_blob(canvas[i]->scanout(first_id + i))), "OK");
            ASSERT_STREQ(answer_name(gpu.fenced_flush(first_id + i, canvas[i]->whole())), "OK");
        }
    }

    Machine machine;
    Gpu gpu;
    std::array<std::optional<Canvas>, 2> canvas;
    std::uint32_t frame = 0;

  private:
    void begin()
    {
        frame = 0;
        for (std::uint32_t i = 0; i < 2; i++) {
            canvas[i]->fill(0, 0);
            EXPECT_STREQ(answer_name(gpu.create_blob(first_id + i, canvas[i]->bytes(), canvas[i]->entries())),
                         "OK");
        }
        EXPECT_STREQ(answer_name(gpu.set_scanout_blob(canvas[0]->scanout(first_id))), "OK");
    }
};

/// The reader has seen frame @p last, and none that was not whole.
void expect_whole(const Reader &reader, std::uint32_t last)
{
    EXPECT_TRUE(eventually([&] { return reading_consumer_report(reader.get()).last == last; }))
        << "the last frame has not arrived";
    const auto report = reading_consumer_report(reader.get());
    EXPECT_EQ(report.error, 0) << "the dma-buf cannot be mapped";
    EXPECT_EQ(report.mixed, 0) << "of " << report.frames << "; the first one begins with frame " << report.top
                               << " and goes on with " << report.end;
}

/// A reader that has joined: it has seen what was there. (One that joins while the guest paints sees that.)
Reader join(Guest &guest, reading_options options)
{
    Reader reader = connect_reader(guest.machine, options);
    EXPECT_TRUE(reader);
    EXPECT_TRUE(reader && eventually([&] { return reading_consumer_report(reader.get()).frames > 0; }))
        << "no first frame";
    return reader;
}

// --- surfaces

constexpr const char *dbus_without_gl = "dbus,p2p=yes,gl=off";

TEST(Tearing, DbusSurfaces)
{
    Guest guest(dbus_without_gl);
    const Reader slow = join(guest, {.pause_ms = 5, .lets_go_early = false});
    const Reader fast = join(guest, {.pause_ms = 0, .lets_go_early = false});
    ASSERT_TRUE(slow && fast);
    guest.repaint(60);
    guest.flip(60);
    expect_whole(slow, guest.frame);
    expect_whole(fast, guest.frame);
    EXPECT_EQ(reading_consumer_report(fast.get()).dmabufs, 0);
}

/// What a VNC viewer saw.
class Watcher {
  public:
    explicit Watcher(const std::string &socket) : viewer_(socket, [this](const Picture &seen) { note(seen); })
    {
    }

    std::atomic<int> frames{0}, mixed{0};
    std::atomic<std::uint32_t> last{0};

  private:
    void note(const Picture &seen)
    {
        const auto &pixels = seen.pixels;
        const bool whole = std::all_of(pixels.begin(), pixels.end(),
                                       [&](std::uint32_t pixel) { return pixel == pixels[0]; });
        frames++;
        mixed += whole ? 0 : 1;
        last = pixels.empty() ? 0 : pixels.back();
    }

    RfbWatcher viewer_;
};

TEST(Tearing, Vnc)
{
    const std::string socket = Rfb::new_socket();
    Guest guest("none" + Rfb::server_argument(socket));
    Watcher watcher(socket);
    ASSERT_TRUE(eventually([&] { return watcher.frames > 0; }));
    guest.repaint(repetitions(75, 150));
    EXPECT_TRUE(eventually([&] { return watcher.last == guest.frame; })) << "the last frame has not arrived";
    EXPECT_EQ(watcher.mixed, 0) << "of " << watcher.frames;
    EXPECT_GT(watcher.frames, 10);
    guest.flip(repetitions(25, 50));
    EXPECT_TRUE(eventually([&] { return watcher.last == guest.frame; }));
    EXPECT_EQ(watcher.mixed, 0) << "of " << watcher.frames;
}

/// That the test above can fail: a guest that flushes what it has not finished.
TEST(Tearing, VncShowsHalfAFrameThatIsFlushed)
{
    const std::string socket = Rfb::new_socket();
    Guest guest("none" + Rfb::server_argument(socket));
    Watcher watcher(socket);
    guest.canvas[0]->fill_upper_half(++guest.frame);
    ASSERT_STREQ(answer_name(guest.gpu.fenced_flush(first_id, guest.canvas[0]->whole())), "OK");
    EXPECT_TRUE(eventually([&] { return watcher.mixed > 0; }));
}

/// Nobody looks: nobody is waited for.
TEST(Tearing, AVncServerWithoutAViewerCostsNothing)
{
    Guest guest("none" + Rfb::server_argument(Rfb::new_socket()));
    guest.machine.qmp(
        {{"execute", "trace-event-set-state"}, {"arguments", {{"name", "vramlink_hold"}, {"enable", true}}}});
    guest.repaint(30);
    EXPECT_EQ(guest.machine.new_messages().find("vramlink_hold"), std::string::npos) << "a flush was held";
}

// --- dma-bufs

class VfioTearing : public testing::Test {
  protected:
    Reader reader(int pause_ms, bool lets_go_early = false)
    {
        return join(guest, {.pause_ms = pause_ms, .lets_go_early = lets_go_early});
    }

    Guest &guest = Guest::shared("dbus,p2p=yes,gl=on");
};

TEST_F(VfioTearing, OneBuffer)
{
    const Reader reader = this->reader(3);
    ASSERT_TRUE(reader);
    guest.repaint(25);
    expect_whole(reader, guest.frame);
    EXPECT_GE(reading_consumer_report(reader.get()).frames, 25)
        << "each flush is shown before it is answered";
    EXPECT_EQ(guest.machine.blob(first_id)["plan"], "shared");
}

TEST_F(VfioTearing, TwoBuffers)
{
    const Reader reader = this->reader(3);
    ASSERT_TRUE(reader);
    guest.flip(25);
    expect_whole(reader, guest.frame);
    EXPECT_GT(reading_consumer_report(reader.get()).dmabufs, 2);
}

TEST_F(VfioTearing, TwoDisplaysOfDifferentSpeed)
{
    const Reader slow = reader(12);
    const Reader fast = reader(0);
    ASSERT_TRUE(slow && fast);
    guest.repaint(15);
    guest.flip(15);
    expect_whole(slow, guest.frame);
    expect_whole(fast, guest.frame);
}

/// That the tests above can fail: a display that lets go of a frame that it is still looking at.
TEST_F(VfioTearing, ADisplayThatLetsGoEarlySeesMixedFrames)
{
    const Reader reader = this->reader(0, true);
    ASSERT_TRUE(reader);
    guest.repaint(10);
    EXPECT_GT(reading_consumer_report(reader.get()).mixed, 0);
}

/// Displays come and go while frames flow.
TEST_F(VfioTearing, DisplaysComeAndGo)
{
    guest.repaint(5);
    for (int round = 0; round < 3; round++) {
        const Reader first = reader(1);
        ASSERT_TRUE(first);
        guest.repaint(5);
        {
            const Reader second = reader(2);
            ASSERT_TRUE(second);
            guest.flip(5);
            expect_whole(second, guest.frame);
        }
        guest.flip(5);
        expect_whole(first, guest.frame);
    }
    guest.repaint(5);
    EXPECT_EQ(guest.machine.stats()["totals"]["dmabuf_fds"], 2);
    for (const std::uint32_t id : {first_id, first_id + 1}) {
        const std::uint64_t inode = guest.machine.blob(id)["dmabufs"][0];
        EXPECT_STREQ(answer_name(guest.gpu.unref(id)), "OK");
        EXPECT_TRUE(eventually([&] { return !guest.machine.held().dmabuf_inodes.contains(inode); }))
            << "a dma-buf stays open";
    }
}

} // namespace
} // namespace vramlink::test
