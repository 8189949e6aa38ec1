// SPDX-License-Identifier: GPL-2.0-or-later
//
// Presenter: what the screen shows and what is held, from the first frame to the last.

#include "tests/unit/prime/presented.hpp"
#include "tools/viewer/stats.hpp"

#include <drm_fourcc.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace vramlink::test {
namespace {

TEST_F(Presented, SixtyFramesOfThreeBuffersAreThreeImports)
{
    const int buffers[] = {a.get(), b.get(), c.get()};
    for (int i = 0; i < 60; i++) {
        show(buffers[i % 3]);
        EXPECT_EQ(answered, i) << "not before the flip has ended";
        ASSERT_TRUE(screens->read_events());
        EXPECT_EQ(answered, i + 1);
    }
    EXPECT_EQ(presenter->counters().frames_flipped, 60U);
    EXPECT_EQ(presenter->counters().bytes_copied, 0U);
    EXPECT_EQ(drm.imports, 3);
    EXPECT_EQ(presenter->showing(), Presenter::Showing::dmabuf);
}

TEST_F(Presented, DisableShowsNeutralFirstThenLetsGoOfEverything)
{
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    show(b.get()); // its flip is under way
    const uint32_t shown = drm.crtc.framebuffer;
    drm.calls.clear();
    presenter->disable();
    EXPECT_EQ(answered, 2);
    EXPECT_EQ(drm.framebuffers, idle);
    EXPECT_EQ(drm.crtc.framebuffer, idle.begin()->first);
    ASSERT_GE(drm.calls.size(), 3U);
    EXPECT_EQ(drm.calls[0], "set " + std::to_string(idle.begin()->first));
    EXPECT_NE(std::find(drm.calls.begin(), drm.calls.end(), "rmfb " + std::to_string(shown)),
              drm.calls.end());
    EXPECT_EQ(presenter->counters().revocations, 1U);
    EXPECT_EQ(presenter->showing(), Presenter::Showing::neutral);

    ASSERT_TRUE(screens->read_events()); // the late event of b's flip
    show(a.get());                       // and it comes back by itself
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(presenter->showing(), Presenter::Showing::dmabuf);
    EXPECT_EQ(answered, 3);
    EXPECT_EQ(drm.imports, 3);
}

TEST_F(Presented, DisableLetsGoEvenIfTheScreenRefusesTheNeutralFrame)
{
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    drm.set_crtc_error = EACCES;
    presenter->disable();
    EXPECT_EQ(drm.framebuffers, idle);
    EXPECT_EQ(drm.crtc.framebuffer, 0U) << "dark, as the kernel leaves it";
}

TEST_F(Presented, DisableBetweenAnnouncementAndUpdateIsForThePreviousFrame)
{
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    presenter->scanout_dmabuf(frame_of(b.get()));
    presenter->disable();
    EXPECT_EQ(drm.framebuffers, idle) << "nothing stays imported all the same";
    presenter->update_dmabuf({}, Completion([this] { ++answered; }));
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(answered, 2);
    EXPECT_EQ(presenter->showing(), Presenter::Showing::dmabuf);
}

TEST_F(Presented, RevokedAnnouncementIsDroppedSoon)
{
    presenter->scanout_dmabuf(frame_of(a.get()));
    presenter->disable();
    g_usleep(150'000);
    while (g_main_context_iteration(nullptr, FALSE)) {
    }
    presenter->update_dmabuf({}, Completion([this] { ++answered; }));
    EXPECT_EQ(answered, 1);
    EXPECT_EQ(drm.framebuffers, idle);
    EXPECT_EQ(drm.imports, 1);
}

int open_descriptors()
{
    const std::filesystem::directory_iterator open("/proc/self/fd");
    return static_cast<int>(std::distance(begin(open), end(open)));
}

TEST_F(Presented, RefusedAnnouncementKeepsNoDescriptor)
{
    drm.import_error = EOPNOTSUPP;
    const int before = open_descriptors();
    const auto pass = [] {
        g_usleep(150'000);
        while (g_main_context_iteration(nullptr, FALSE)) {
        }
    };
    // the frame that QEMU has for whoever joins: no update follows
    presenter->scanout_dmabuf(frame_of(a.get()));
    pass();
    EXPECT_EQ(open_descriptors(), before) << "refused";

    presenter->scanout_dmabuf(frame_of(b.get()));
    presenter->disable();
    pass();
    EXPECT_EQ(open_descriptors(), before) << "taken away";

    presenter->scanout_dmabuf(frame_of(b.get()));
    presenter->update_dmabuf({}, Completion([this] { ++answered; }));
    pass();
    EXPECT_EQ(open_descriptors(), before) << "shown";
}

TEST_F(Presented, DisableOfNothingIsNoRevocation)
{
    presenter->disable();
    EXPECT_EQ(presenter->counters().revocations, 0U);
}

TEST_F(Presented, RefusedBufferShowsNeutralAndHoldsNobody)
{
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    drm.import_error = EOPNOTSUPP;
    show(b.get());
    EXPECT_EQ(answered, 2);
    EXPECT_EQ(presenter->showing(), Presenter::Showing::neutral);
    EXPECT_EQ(drm.crtc.framebuffer, idle.begin()->first);
    show(b.get());
    EXPECT_EQ(answered, 3);
    EXPECT_EQ(drm.imports, 2);
    show(a.get()); // a known buffer still works
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(presenter->showing(), Presenter::Showing::dmabuf);
}

TEST_F(Presented, RefusedFlipIsCountedAndHoldsNobody)
{
    drm.page_flip_error = EIO;
    show(a.get());
    EXPECT_EQ(answered, 1);
    EXPECT_EQ(presenter->counters().flips_failed, 1U);
    EXPECT_EQ(presenter->counters().frames_flipped, 0U);
}

TEST_F(Presented, FlipThatNeverEndsHoldsTheGuestForLessThanASecond)
{
    show(a.get());
    const int64_t start = g_get_monotonic_time();
    while (answered == 0 && g_get_monotonic_time() - start < 5 * G_USEC_PER_SEC)
        g_main_context_iteration(nullptr, TRUE);
    EXPECT_LT(g_get_monotonic_time() - start, G_USEC_PER_SEC);
    EXPECT_EQ(presenter->counters().flips_failed, 1U);
}

TEST_F(Presented, FrameThatIsNeverUpdatedIsShownAllTheSame)
{
    presenter->scanout_dmabuf(frame_of(a.get()));
    EXPECT_TRUE(drm.flips.empty());
    while (drm.flips.empty())
        g_main_context_iteration(nullptr, TRUE);
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(presenter->counters().frames_flipped, 1U);
}

TEST_F(Presented, PixelsAreCopiedCountedAndReplacedByADmabuf)
{
    const std::vector<uint8_t> raw(1024 * 768 * 4, 0x44);
    presenter->scanout({1024, 768, 4096, PixelFormat::x8r8g8b8, raw});
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(presenter->showing(), Presenter::Showing::pixels);
    presenter->update(900, 600, {100, 100, 400, PixelFormat::x8r8g8b8, raw});
    EXPECT_EQ(presenter->counters().bytes_copied, 1024U * 768 * 4 + 100 * 100 * 4);
    ASSERT_TRUE(screens->read_events());
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(presenter->showing(), Presenter::Showing::dmabuf);
    EXPECT_EQ(drm.mappings.size(), 1U) << "only the neutral frame is mapped";
}

TEST_F(Presented, AnUpdateOverTheEdgeMakesTheFrameGrow)
{
    const std::vector<uint8_t> raw(640 * 480 * 4, 0x44), more(720 * 16 * 4, 0x22);
    presenter->scanout({640, 480, 2560, PixelFormat::x8r8g8b8, raw});
    ASSERT_TRUE(screens->read_events());
    presenter->update(0, 384, {720, 16, 2880, PixelFormat::x8r8g8b8, more});
    EXPECT_EQ(drm.requests.back().width, 720U);
    EXPECT_EQ(drm.requests.back().height, 480U);
    presenter->update(max_frame_side, max_frame_side, {1, 1, 4, PixelFormat::x8r8g8b8, raw});
    EXPECT_EQ(drm.requests.back().width, 720U) << "not beyond every limit";
}

/// What GPUs do with a buffer in another GPU's VRAM, from the sources of Linux 7.3: who says no, and when.
struct Driver {
    const char *name;
    int import_error, addfb_error, commit_error;
    Presenter::Showing showing;
    int imports_asked; ///< for ten frames of two buffers
};
void PrintTo(const Driver &driver, std::ostream *out)
{
    *out << driver.name;
}

class Decision : public Presented, public ::testing::WithParamInterface<Driver> {};

TEST_P(Decision, IsTriedOnceAndRemembered)
{
    const Driver &driver = GetParam();
    drm.import_error = driver.import_error;
    presenter->allow_copy(true);
    drm.addfb_error_of_imports = driver.addfb_error;
    drm.commit_error_of_imports = driver.commit_error;
    for (int i = 0; i < 10; i++) {
        show(i % 2 ? a.get() : b.get());
        ASSERT_TRUE(screens->read_events());
        EXPECT_EQ(answered, i + 1) << "within the same frame";
        EXPECT_EQ(presenter->showing(), driver.showing) << "frame " << i << ": never a black one";
    }
    EXPECT_EQ(drm.imports, driver.imports_asked);
    EXPECT_EQ(presenter->counters().bytes_copied > 0, driver.showing == Presenter::Showing::pixels);
    const auto stats = collect_stats(*presenter);
    EXPECT_EQ(stats["imports"][0]["error"].is_null(), driver.showing == Presenter::Showing::dmabuf);

    presenter->disable(); // what was remembered goes with the buffers
    drm.import_error = drm.addfb_error_of_imports = drm.commit_error_of_imports = 0;
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(presenter->showing(), Presenter::Showing::dmabuf) << "the set-up has changed: tried again";
}

INSTANTIATE_TEST_SUITE_P(Drivers, Decision,
                         ::testing::Values(Driver{"virtio_gpu", 0, 0, 0, Presenter::Showing::dmabuf, 2},
                                           Driver{"xe_integrated", 0, 0, 0, Presenter::Showing::dmabuf, 2},
                                           Driver{"xe_discrete", 0, 0, EINVAL, Presenter::Showing::pixels, 2},
                                           Driver{"amdgpu", 0, EINVAL, 0, Presenter::Showing::pixels, 2},
                                           Driver{"i915", EOPNOTSUPP, 0, 0, Presenter::Showing::pixels, 2}),
                         [](const auto &row) { return std::string(row.param.name); });

TEST_F(Presented, RefusedBufferIsCopiedIfThatIsAllowed)
{
    drm.import_error = ENODEV;
    presenter->allow_copy(true);
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(answered, 1);
    EXPECT_EQ(presenter->showing(), Presenter::Showing::pixels);
    EXPECT_EQ(presenter->counters().bytes_copied, 1024U * 768 * 4);
    presenter->update_dmabuf({}, {});
    EXPECT_EQ(presenter->counters().bytes_copied, 2U * 1024 * 768 * 4);
    presenter->disable();
    EXPECT_EQ(drm.framebuffers, idle);
    EXPECT_EQ(drm.mappings.size(), 1U);
}

TEST_F(Presented, AStillLetsGoOfEverythingElse)
{
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    show(b.get());
    ASSERT_TRUE(screens->read_events());
    drm.calls.clear();
    show(c.get(), true);
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(presenter->showing(), Presenter::Showing::dmabuf);
    EXPECT_EQ(drm.framebuffers.size(), idle.size() + 1) << "the still alone";
    EXPECT_EQ(presenter->counters().stills, 1U);
    EXPECT_EQ(presenter->counters().revocations, 0U) << "the screen was never dark";
    for (const std::string &call : drm.calls)
        EXPECT_FALSE(call.starts_with("set ")) << call;
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(presenter->counters().stills, 1U);
    EXPECT_EQ(presenter->counters().frames_flipped, 4U);
}

TEST_F(Presented, AStillThatTheDeviceRefusesIsCopiedWithoutBeingAsked)
{
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    drm.import_error = EOPNOTSUPP;
    show(c.get(), true);
    ASSERT_TRUE(screens->read_events());
    EXPECT_EQ(presenter->showing(), Presenter::Showing::pixels);
    EXPECT_EQ(presenter->counters().bytes_copied, 1024U * 768 * 4);
    EXPECT_EQ(drm.framebuffers.size(), idle.size() + 1) << "a's is gone";
}

TEST_F(Presented, LosingTheConnectionLetsGoBeforeAnybodyIsTold)
{
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    presenter->disconnected("QEMU is gone");
    EXPECT_EQ(reason, "QEMU is gone");
    EXPECT_EQ(drm.framebuffers, idle);
    EXPECT_FALSE(presenter->is_connected());
}

TEST_F(Presented, StatsSayWhatHappened)
{
    show(a.get());
    ASSERT_TRUE(screens->read_events());
    drm.addfb_error = EINVAL;
    show(b.get());
    const auto stats = collect_stats(*presenter);
    EXPECT_EQ(stats.at("frames_flipped"), 1);
    EXPECT_EQ(stats.at("prime_imports"), 1);
    EXPECT_EQ(stats.at("imports_failed"), 1);
    EXPECT_EQ(stats.at("gem_handles_open"), 0);
    EXPECT_EQ(stats.at("framebuffers_open"), 2);
    EXPECT_EQ(stats.at("showing"), "neutral");
    EXPECT_EQ(stats.at("imports").size(), 2U);
    EXPECT_TRUE(stats.at("imports")[0].at("live").get<bool>());
    EXPECT_TRUE(stats.at("imports")[0].at("error").is_null());
    EXPECT_EQ(stats.at("imports")[0].at("fourcc"), "XR24");
    EXPECT_EQ(stats.at("imports")[1].at("error").get<std::string>().substr(0, 7), "EINVAL:");
}

TEST(StatsFile, IsReplacedInOneStepAndLeavesNothingBehind)
{
    const auto directory =
        std::filesystem::temp_directory_path() / fmt::format("vramlink-stats-{}", getpid());
    std::filesystem::create_directories(directory);
    const auto path = directory / "stats.json";
    ASSERT_TRUE(write_atomically(path, "one"));
    ASSERT_TRUE(write_atomically(path, "two"));
    std::string text;
    std::ifstream(path) >> text;
    EXPECT_EQ(text, "two");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1);
    EXPECT_EQ(write_atomically(directory / "none" / "x", "one").error().code, ENOENT);
    std::filesystem::remove_all(directory);
}

} // namespace
} // namespace vramlink::test
