// SPDX-License-Identifier: GPL-2.0-or-later
//
// No display can stop the VM: one that does not read any more (its process is stopped at the worst moments,
// or it is a client that never reads) costs QEMU a few frames of memory and a few descriptors. The guest's
// commands are answered, other displays see new frames when it has been cut off, and one that works is never
// cut off.
//
// The tests that begin with Vfio run in the lab, where displays are handed dma-bufs.

#include "tests/device/painter.hpp"
#include "tests/device/repeat.hpp"
#include "tests/device/rfb_watcher.hpp"
#include "tests/device/spice_client.hpp"
#include "tests/device/stopping.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace vramlink::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint32_t first_id = 10;
constexpr std::uint32_t width = 640, height = 480;
constexpr std::uint64_t frame_bytes = std::uint64_t{4} * width * height;
constexpr auto frame_time = milliseconds(16);
constexpr int cut_off_ms = 30'000; ///< 5 s after its socket is full, which slow guests take a while to do
constexpr std::uint64_t bounded_bytes = 6 * frame_bytes;
constexpr std::uint64_t gl_bytes = 64 << 20; ///< what Mesa takes by and by
constexpr int bounded_fds = 40;              ///< a few flips of each display
constexpr long bounded_lines = 20;

/// QEMU 10.0 goes on calling a client that is gone, and says so each time.
long lines_of_ours(const std::string &messages)
{
    std::istringstream text(messages);
    long count = 0;
    for (std::string line; std::getline(text, line);)
        count += line.find("vramlink") != std::string::npos;
    return count;
}

constexpr auto bounded_wait = milliseconds(2'000); ///< a flush waits for half a second at most

constexpr const char *without_gl = "dbus,p2p=yes,gl=off";
constexpr const char *with_gl = "dbus,p2p=yes,gl=on";

enum class Guest { flips, flips_and_flushes, idles };

/// A guest with two buffers.
struct Scene {
    explicit Scene(const std::string &display)
        : machine({.display = display}), gpu(machine),
          allowed_bytes(bounded_bytes + (display == with_gl ? gl_bytes : 0))
    {
        for (std::uint32_t i = 0; i < 2; i++) {
            canvas[i].emplace(machine, width, height);
            EXPECT_STREQ(answer_name(gpu.create_blob(first_id + i, canvas[i]->bytes(), canvas[i]->entries())),
                         "OK");
        }
        show(Guest::flips_and_flushes);
    }

    void show(Guest guest)
    {
        if (guest == Guest::idles)
            return;
        const std::uint32_t i = ++frame % 2;
        const auto start = Clock::now();
        canvas[i]->fill(frame, 0);
        ASSERT_STREQ(answer_name(gpu.set_scanout_blob(canvas[i]->scanout(first_id + i))), "OK");
        if (guest == Guest::flips_and_flushes) {
            ASSERT_STREQ(answer_name(gpu.fenced_flush(first_id + i, canvas[i]->whole())), "OK");
        }
        slowest = std::max(slowest, std::chrono::duration_cast<milliseconds>(Clock::now() - start));
    }
    [[nodiscard]] int cut_off() { return machine.stats()["totals"]["cut_off"].get<int>(); }

    Machine machine;
    Gpu gpu;
    std::array<std::optional<Canvas>, 2> canvas;
    std::uint32_t frame = 0;
    milliseconds slowest{};
    std::uint64_t allowed_bytes;
};

/// A guest on each scene goes on until @p condition holds; false when it does not in @p limit_ms.
bool show_until(const std::vector<std::pair<Scene *, Guest>> &guests, int limit_ms,
                const std::function<bool()> &condition)
{
    constexpr auto look = milliseconds(200);
    const auto end = Clock::now() + milliseconds(limit_ms);
    auto next_look = Clock::now();
    while (Clock::now() < end && !testing::Test::HasFatalFailure()) {
        const auto next = Clock::now() + frame_time;
        for (const auto &[scene, guest] : guests)
            scene->show(guest);
        if (Clock::now() > next_look) {
            if (condition())
                return true;
            next_look = Clock::now() + look;
        }
        std::this_thread::sleep_until(next);
    }
    return condition();
}

void show_for(const std::vector<std::pair<Scene *, Guest>> &guests, int ms)
{
    (void)show_until(guests, ms, [] { return false; });
}

/// What a guest costs QEMU from the construction on.
class Costs {
  public:
    explicit Costs(Scene &scene) : scene_(scene), before_(scene.machine.held())
    {
        scene.machine.new_messages();
    }
    void expect_bounded()
    {
        const Held now = scene_.machine.held();
        messages_ += scene_.machine.new_messages();
        EXPECT_LE(now.rss, before_.rss + scene_.allowed_bytes) << "bytes of QEMU's own";
        EXPECT_LE(now.fds, before_.fds + bounded_fds) << "descriptors";
        EXPECT_LE(lines_of_ours(messages_), bounded_lines) << messages_;
        EXPECT_LE(scene_.slowest.count(), patience(bounded_wait.count())) << "ms for a frame of the guest's";
    }
    [[nodiscard]] const std::string &messages() const { return messages_; }

  private:
    Scene &scene_;
    Held before_;
    std::string messages_;
};

void expect_another_mode(Scene &scene)
{
    BlobScanout smaller = scene.canvas[0]->scanout(first_id);
    smaller.rect = {0, 0, width / 2, height / 2};
    EXPECT_STREQ(answer_name(scene.gpu.set_scanout_blob(smaller)), "OK");
    EXPECT_EQ(screendump(scene.machine).width, width / 2);
}

struct Case {
    const char *name;
    stop_point point;
    Guest guest;
};

/// A display that stops, beside one that works.
class Trial {
  public:
    Trial(const char *display, const Case &row)
        : row_(row), scene_(std::make_unique<Scene>(display)),
          healthy_(connect_reader(scene_->machine, {.pause_ms = 0, .lets_go_early = false}))
    {
    }
    void begin()
    {
        costs_.emplace(*scene_);
        victim_ = std::make_unique<StoppingDisplay>(scene_->machine, row_.point);
    }
    [[nodiscard]] std::pair<Scene *, Guest> guest() const { return {scene_.get(), row_.guest}; }
    [[nodiscard]] const char *name() const { return row_.name; }
    [[nodiscard]] bool is_stopped() const { return victim_->stopped(); }
    [[nodiscard]] bool is_cut_off() const { return scene_->cut_off() > 0; }

    void expect_bounded()
    {
        costs_->expect_bounded();
        EXPECT_LE(scene_->cut_off(), 1);
    }
    void expect_the_others_go_on()
    {
        const std::string who = "the display of process " + std::to_string(victim_->pid());
        const std::uint32_t then = scene_->frame;
        EXPECT_TRUE(healthy_ &&
                    show_until({{scene_.get(), Guest::flips_and_flushes}}, 5'000,
                               [&] { return reading_consumer_report(healthy_.get()).last > then; }))
            << "the other one sees no new frame";
        expect_bounded();
        EXPECT_NE(costs_->messages().find(who), std::string::npos) << costs_->messages();
        expect_another_mode(*scene_);
        victim_->go_on();
        EXPECT_TRUE(eventually([&] { return victim_->ended(); })) << "it still has a connection";
    }

  private:
    Case row_;
    std::unique_ptr<Scene> scene_;
    Reader healthy_;
    std::unique_ptr<StoppingDisplay> victim_;
    std::optional<Costs> costs_;
};

/// All at the same time: it takes some seconds until one is cut off.
void expect_cut_off(const char *display, std::span<const Case> cases)
{
    std::vector<std::unique_ptr<Trial>> trials;
    std::vector<std::pair<Scene *, Guest>> guests;
    for (const Case &row : cases) {
        trials.push_back(std::make_unique<Trial>(display, row));
        guests.push_back(trials.back()->guest());
    }
    show_for(guests, 500);
    for (const auto &trial : trials)
        trial->begin();
    const auto all = [&](bool (Trial::*is_so)() const) {
        return [&trials, is_so] {
            return std::ranges::all_of(trials, [&](auto &t) { return ((*t).*is_so)(); });
        };
    };
    (void)show_until(guests, patience(10'000), all(&Trial::is_stopped));
    (void)show_until(guests, patience(cut_off_ms), all(&Trial::is_cut_off));
    for (const auto &trial : trials) {
        SCOPED_TRACE(trial->name());
        EXPECT_TRUE(trial->is_stopped());
        EXPECT_TRUE(trial->is_cut_off());
        trial->expect_bounded();
    }
    for (const auto &trial : trials) {
        SCOPED_TRACE(trial->name());
        trial->expect_the_others_go_on();
    }
}

void expect_not_cut_off(const char *display)
{
    constexpr int longer_than_the_limit_ms = 8'000;
    Scene idle(display), flipping(display);
    StoppingDisplay of_idle(idle.machine, STOP_NEVER), of_flipping(flipping.machine, STOP_NEVER);
    show_for({{&idle, Guest::flips_and_flushes}, {&flipping, Guest::flips_and_flushes}}, 500);
    show_for({{&idle, Guest::idles}, {&flipping, Guest::flips}}, longer_than_the_limit_ms);
    EXPECT_EQ(idle.cut_off(), 0);
    EXPECT_EQ(flipping.cut_off(), 0);
    EXPECT_FALSE(of_idle.ended());
    EXPECT_FALSE(of_flipping.ended());
}

// --- D-Bus

constexpr Case before_its_first_frame{"BeforeItsFirstFrame", STOP_AT_FIRST_FRAME, Guest::flips_and_flushes};
constexpr Case in_an_update{"InAnUpdate", STOP_IN_UPDATE, Guest::flips_and_flushes};
constexpr Case after_a_flip{"AfterAFlip", STOP_AFTER_FLIP, Guest::flips_and_flushes};

TEST(Stopped, IsCutOff)
{
    expect_cut_off(without_gl, std::array{before_its_first_frame, in_an_update, after_a_flip});
}

TEST(Stopped, OneThatWorksIsNot)
{
    expect_not_cut_off(without_gl);
}

/// With GL: dma-bufs. The guest that only flips is the one that sends most descriptors. Each case has a QEMU;
/// in the short run one of them has a frame in its hands, and the other a queue of frames behind it.
TEST(VfioStopped, IsCutOff)
{
    std::vector<Case> chosen{in_an_update, {"OfAGuestThatOnlyFlips", STOP_AFTER_FLIP, Guest::flips}};
    if (is_long_run())
        chosen.insert(chosen.end(), {before_its_first_frame, after_a_flip});
    expect_cut_off(with_gl, chosen);
}

TEST(VfioStopped, OneThatWorksIsNot)
{
    expect_not_cut_off(with_gl);
}

// --- clients of QEMU's own servers, which it bounds itself: the device must not undo that

constexpr int unread_ms = 4'000;

TEST(StoppedClient, VncClientThatDoesNotRead)
{
    const std::string socket = Rfb::new_socket();
    Scene scene("none" + Rfb::server_argument(socket));
    std::atomic<std::uint32_t> last{0};
    const RfbWatcher healthy(
        socket, [&](const Picture &seen) { last = seen.pixels.empty() ? 0 : seen.pixels.back(); });
    Rfb victim(socket);
    ASSERT_TRUE(victim.connected());
    show_for({{&scene, Guest::flips_and_flushes}}, 500);
    Costs costs(scene);
    for (int i = 0; i < 100; i++)
        victim.request(i % 2 == 1);
    show_for({{&scene, Guest::flips_and_flushes}}, unread_ms);
    costs.expect_bounded();
    EXPECT_TRUE(eventually([&] { return last == scene.frame; }))
        << "the other one has not seen the last frame";
}

TEST(StoppedClient, SpiceClientThatDoesNotRead)
{
    const std::string socket = SpiceClient::new_socket();
    Scene scene("none" + SpiceClient::server_argument(socket));
    const SpiceClient victim(socket);
    ASSERT_TRUE(victim.connected());
    show_for({{&scene, Guest::flips_and_flushes}}, 500);
    Costs costs(scene);
    show_for({{&scene, Guest::flips_and_flushes}}, unread_ms);
    costs.expect_bounded();
}

} // namespace
} // namespace vramlink::test
