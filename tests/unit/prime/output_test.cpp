// SPDX-License-Identifier: GPL-2.0-or-later
//
// KmsOutput: which mode, which call, and what is left behind.

#include "hw/prime/kms_card.hpp"
#include "tests/unit/prime/fake_drm.hpp"

#include <drm_fourcc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

namespace vramlink::test {
namespace {

class Output : public ::testing::Test {
  protected:
    void start()
    {
        auto opened = DrmDevice::open(drm, "/dev/dri/card0");
        ASSERT_TRUE(opened.has_value());
        device = std::move(*opened);
        auto shown = KmsCard::open(*device);
        ASSERT_TRUE(shown.has_value()) << shown.error().text;
        card = std::move(*shown);
        output = card->outputs().front().get();
    }
    void TearDown() override
    {
        card.reset();
        EXPECT_EQ(drm.handles.size(), 0U);
        EXPECT_EQ(drm.framebuffers.size(), 0U);
        EXPECT_EQ(drm.mappings.size(), 0U);
        EXPECT_EQ(drm.bad_closes, 0);
    }
    bool flip_ended()
    {
        const auto ended = card->read_events();
        return ended && std::ranges::count(*ended, output) == 1;
    }
    BufferRef frame(uint32_t width, uint32_t height)
    {
        const UniqueFd fd(fake_dmabuf(uint64_t{width} * height * 4));
        PrimeImporter importer(*device);
        auto imported = importer.import(fd.get(), {width, height, width * 4, 0, DRM_FORMAT_XRGB8888, 0});
        EXPECT_TRUE(imported.has_value());
        return *imported;
    }

    FakeDrm drm;
    std::unique_ptr<DrmDevice> device;
    std::unique_ptr<KmsCard> card;
    KmsOutput *output = nullptr;
};

TEST_F(Output, StartsNeutralInThePreferredMode)
{
    start();
    EXPECT_EQ(drm.crtc.mode.hdisplay, 1024);
    EXPECT_EQ(drm.framebuffers.size(), 1U);
    EXPECT_EQ(device->gem_handles_open(), 0);
}

TEST_F(Output, TheScreenIsAsLargeAsItsPreferredModeWhateverIsShown)
{
    drm.connectors[0].width_mm = 520;
    start();
    ASSERT_TRUE(output->show(*frame(640, 480)).has_value());
    EXPECT_EQ(output->mode().hdisplay, 640);
    EXPECT_EQ(output->screen().width, 1024U);
    EXPECT_EQ(output->screen().height, 768U);
    EXPECT_EQ(output->screen().width_mm, 520U);
    EXPECT_EQ(output->screen().height_mm, 0U);
}

TEST_F(Output, FirstFrameSetsItsModeAndTheNextFlips)
{
    start();
    const auto a = frame(1920, 1080);
    const auto b = frame(1920, 1080);
    EXPECT_EQ(output->show(*a), KmsOutput::Shown::now);
    EXPECT_EQ(drm.crtc.mode.hdisplay, 1920);
    EXPECT_EQ(output->show(*b), KmsOutput::Shown::pending);
    EXPECT_TRUE(flip_ended());
    EXPECT_FALSE(flip_ended());
    EXPECT_EQ(drm.calls.back(), "flip " + std::to_string(b->framebuffer()));
    ASSERT_TRUE(output->show_neutral());
}

TEST_F(Output, RefusedFlipFallsBackToSetCrtc)
{
    start();
    const auto a = frame(1024, 768);
    for (const int code : {EBUSY, EINVAL}) {
        drm.page_flip_error = code;
        EXPECT_EQ(output->show(*a), KmsOutput::Shown::now);
    }
    drm.page_flip_error = EACCES; // no longer the master
    const auto refused = output->show(*a);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, EACCES);
    ASSERT_TRUE(output->show_neutral());
}

TEST_F(Output, AnAtomicDriverGetsCommitsWithTheirDamage)
{
    drm.atomic = true;
    start();
    const auto a = frame(1920, 1080);
    const auto b = frame(1920, 1080);
    drm.calls.clear();
    EXPECT_EQ(output->show(*a), KmsOutput::Shown::now);
    EXPECT_EQ(drm.crtc.mode.hdisplay, 1920);
    EXPECT_EQ(output->show(*b, {1, 2, 3, 4}), KmsOutput::Shown::pending);
    EXPECT_TRUE(flip_ended());
    EXPECT_TRUE(drm.damage.empty()) << "another buffer is another picture";
    EXPECT_EQ(output->show(*b, {1, 2, 3, 4}), KmsOutput::Shown::pending);
    EXPECT_TRUE(flip_ended());
    EXPECT_EQ(output->show(*b, {0, 0, UINT32_MAX, UINT32_MAX}), KmsOutput::Shown::pending);
    EXPECT_TRUE(flip_ended());
    EXPECT_EQ(drm.damage, (std::vector<std::string>{"1,2,4,6", "0,0,2147483647,2147483647"}));
    const auto id = [](const BufferRef &buffer) { return std::to_string(buffer->framebuffer()); };
    EXPECT_EQ(drm.calls, (std::vector<std::string>{"commit mode " + id(a), "commit " + id(b),
                                                   "commit " + id(b), "commit " + id(b)}));
    EXPECT_EQ(drm.blobs(), 0U) << "the kernel's state keeps what it needs";
    ASSERT_TRUE(output->show_neutral());
}

TEST_F(Output, WhatAnAtomicDriverRefusesIsAskedTheOldWay)
{
    drm.atomic = true;
    start();
    const auto a = frame(1024, 768);
    drm.commit_error = EINVAL;
    drm.calls.clear();
    EXPECT_EQ(output->show(*a), KmsOutput::Shown::now);
    EXPECT_EQ(drm.calls, (std::vector<std::string>{"set " + std::to_string(a->framebuffer())}));
    drm.commit_error = EACCES;
    drm.set_crtc_error = EACCES;
    EXPECT_EQ(output->show(*a).error().code, EACCES);
    drm.set_crtc_error = 0;
    ASSERT_TRUE(output->show_neutral());
}

TEST_F(Output, AnAtomicDriverWithoutDamageGetsNone)
{
    drm.atomic = true;
    drm.takes_damage = false;
    start();
    const auto a = frame(1024, 768);
    EXPECT_EQ(output->show(*a), KmsOutput::Shown::pending);
    EXPECT_TRUE(flip_ended());
    EXPECT_EQ(output->show(*a, {1, 2, 3, 4}), KmsOutput::Shown::pending);
    EXPECT_TRUE(flip_ended());
    EXPECT_TRUE(drm.damage.empty());
    ASSERT_TRUE(output->show_neutral());
}

TEST_F(Output, EventOfAForgottenFlipIsIgnored)
{
    start();
    const auto a = frame(1024, 768);
    EXPECT_EQ(output->show(*a), KmsOutput::Shown::pending);
    ASSERT_TRUE(output->show_neutral());
    EXPECT_FALSE(flip_ended());
}

TEST_F(Output, NeutralTakesTheSizeOfTheMode)
{
    start();
    const auto a = frame(1920, 1080);
    EXPECT_EQ(output->show(*a), KmsOutput::Shown::now);
    ASSERT_TRUE(output->show_neutral());
    EXPECT_EQ(drm.requests.back().width, 1920U);
    EXPECT_EQ(drm.framebuffers.size(), 2U) << "the frame and one neutral buffer";
}

TEST_F(Output, NeutralWithoutMemoryUsesTheOneAtHand)
{
    start();
    const auto a = frame(1920, 1080);
    EXPECT_EQ(output->show(*a), KmsOutput::Shown::now);
    drm.dumb_error = ENOMEM;
    ASSERT_TRUE(output->show_neutral());
    EXPECT_EQ(drm.crtc.mode.hdisplay, 1024);
    EXPECT_NE(drm.crtc.framebuffer, a->framebuffer());
}

TEST_F(Output, FrameSmallerThanEveryModeIsRefusedInWords)
{
    start();
    const auto a = frame(320, 200);
    const auto refused = output->show(*a);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ENOSPC);
}

TEST_F(Output, RestoresWhatWasShown)
{
    drm.crtc.framebuffer = 7;
    drm.crtc.mode_valid = true;
    drm.crtc.mode = drm.connectors[0].modes[2];
    start();
    card.reset();
    EXPECT_EQ(drm.crtc.framebuffer, 7U);
    EXPECT_EQ(drm.crtc.mode.hdisplay, 640);
}

TEST_F(Output, TurnsOffWhatWasOff)
{
    start();
    card.reset();
    EXPECT_EQ(drm.crtc.framebuffer, 0U);
    EXPECT_EQ(drm.calls[drm.calls.size() - 2], "set 0") << "before the framebuffer is removed";
}

TEST_F(Output, NoSignalIsWrittenInTheMiddle)
{
    start();
    auto buffer = DumbBuffer::create(*device, 1000, 700);
    ASSERT_TRUE(buffer.has_value());
    paint_no_signal(**buffer);
    const uint32_t background = (*buffer)->row(0)[0];
    uint32_t left = 1000, right = 0, top = 700, bottom = 0;
    for (uint32_t y = 0; y < 700; y++) {
        for (uint32_t x = 0; x < 1000; x++) {
            if ((*buffer)->row(y)[x] == background)
                continue;
            left = std::min(left, x), right = std::max(right, x);
            top = std::min(top, y), bottom = std::max(bottom, y);
        }
    }
    EXPECT_NEAR((left + right) / 2.0, 500, 10);
    EXPECT_NEAR((top + bottom) / 2.0, 350, 10);
    EXPECT_NEAR(right - left, 333, 40);
}

TEST_F(Output, DumbBufferFailuresLeakNothing)
{
    start();
    drm.map_error = ENOMEM;
    EXPECT_EQ(DumbBuffer::create(*device, 64, 64).error().code, ENOMEM);
    drm.map_error = 0;
    drm.addfb_error = EINVAL;
    EXPECT_EQ(DumbBuffer::create(*device, 64, 64).error().code, EINVAL);
    drm.addfb_error = 0;
    EXPECT_EQ(DumbBuffer::create(*device, 0, 64).error().code, EINVAL);
    EXPECT_EQ(DumbBuffer::create(*device, 64, 1U << 30).error().code, EINVAL);
    EXPECT_EQ(device->gem_handles_open(), 0);
    EXPECT_EQ(drm.mappings.size(), 1U) << "the neutral frame's";
}

TEST(ModeChoice, ExactThenMadeToMeasureThenLargestInside)
{
    const std::vector<std::pair<int, int>> sizes{{1024, 768}, {1920, 1080}, {640, 480}};
    const auto hdmi = FakeDrm::connector(DRM_MODE_CONNECTOR_HDMIA, sizes);
    const auto virt = FakeDrm::connector(DRM_MODE_CONNECTOR_VIRTUAL, sizes);
    EXPECT_EQ(mode_for(hdmi, 1920, 1080)->hdisplay, 1920);
    EXPECT_EQ(mode_for(hdmi, 1900, 1000)->hdisplay, 1024);
    EXPECT_EQ(mode_for(virt, 1920, 1080)->clock, virt.modes[1].clock) << "an offered mode, not a made one";
    EXPECT_EQ(mode_for(virt, 1900, 1000)->hdisplay, 1900);
    EXPECT_EQ(mode_for(virt, 1900, 1000)->vdisplay, 1000);
    EXPECT_FALSE(mode_for(hdmi, 639, 480).has_value());
}

TEST(ModeChoice, RefreshNearestToSixtyFromBelow)
{
    auto hdmi =
        FakeDrm::connector(DRM_MODE_CONNECTOR_HDMIA, {{640, 480}, {640, 480}, {640, 480}, {640, 480}});
    hdmi.modes[0].vrefresh = 144;
    hdmi.modes[1].vrefresh = 30;
    hdmi.modes[2].vrefresh = 60;
    hdmi.modes[3].vrefresh = 75;
    EXPECT_EQ(mode_for(hdmi, 640, 480)->vrefresh, 60U);
}

} // namespace
} // namespace vramlink::test
