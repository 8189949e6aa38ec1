// SPDX-License-Identifier: GPL-2.0-or-later
//
// What needs no compositor: sizes, formats, latency.

#include "tools/viewer/wayland/dmabuf_formats.hpp"
#include "tools/viewer/wayland/latency.hpp"
#include "tools/viewer/wayland/window_size.hpp"

#include <drm_fourcc.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cerrno>

namespace vramlink::test {
namespace {

using State = WindowSize::State;

TEST(Fit, KeepsTheShape)
{
    EXPECT_EQ(fit({1920, 1080}, {1024, 768}), (Extent2{1024, 576}));
    EXPECT_EQ(fit({1080, 1920}, {1024, 768}), (Extent2{432, 768}));
    EXPECT_EQ(fit({640, 480}, {1024, 768}), (Extent2{1024, 768}));
    EXPECT_EQ(fit({16384, 1}, {100, 100}), (Extent2{100, 1})) << "never nothing";
    EXPECT_EQ(fit({UINT32_MAX, UINT32_MAX}, {7, 9}), (Extent2{7, 7})) << "nothing wraps";
    EXPECT_EQ(fit({0, 0}, {7, 9}), (Extent2{7, 9}));
}

TEST(Size, FollowsTheGuestUntilTheUserDrags)
{
    WindowSize size;
    size.configure(State::floating, {0, 0});
    size.set_frame({800, 600});
    EXPECT_EQ(size.surface(), (Extent2{800, 600}));
    EXPECT_TRUE(size.wanted().empty()) << "nothing to tell the guest";

    size.configure(State::floating, {1000, 600});
    EXPECT_EQ(size.wanted(), (Extent2{1000, 600}));
    EXPECT_EQ(size.surface(), (Extent2{800, 600})) << "the old picture in its shape until the guest follows";
    size.set_frame({1000, 600});
    EXPECT_EQ(size.surface(), (Extent2{1000, 600}));
    size.configure(State::floating, {1000, 600});
    EXPECT_EQ(size.wanted(), (Extent2{1000, 600}));

    size.set_frame({640, 480});
    EXPECT_EQ(size.surface(), (Extent2{640, 480})) << "the guest went its own way";
    EXPECT_TRUE(size.wanted().empty());
}

TEST(Size, ARepeatedSizeIsNobodysWish)
{
    WindowSize size;
    size.set_frame({640, 480});
    size.configure(State::floating, {640, 480}); // as some compositors say when the focus changes
    size.set_frame({1280, 800});
    EXPECT_EQ(size.surface(), (Extent2{1280, 800}));
}

TEST(Size, FullScreenAndMaximized)
{
    WindowSize size;
    size.set_frame({1024, 768});
    size.configure(State::full, {1920, 1080});
    EXPECT_EQ(size.surface(), (Extent2{1440, 1080}));
    EXPECT_EQ(size.wanted(), (Extent2{1920, 1080}));
    size.configure(State::filling, {1920, 1048});
    EXPECT_EQ(size.surface(), (Extent2{1920, 1048})) << "exactly what the compositor says";
    size.configure(State::floating, {1024, 768}); // back to what it was
    EXPECT_EQ(size.surface(), (Extent2{1024, 768}));
    EXPECT_TRUE(size.wanted().empty());
}

TEST(Size, FractionalScale)
{
    WindowSize size;
    size.set_scale(180); // 150 %
    size.set_frame({1920, 1080});
    EXPECT_EQ(size.surface(), (Extent2{1280, 720}));
    size.configure(State::full, {1280, 720});
    EXPECT_EQ(size.wanted(), (Extent2{1920, 1080}));
    size.set_scale(0);
    EXPECT_EQ(size.wanted(), (Extent2{1920, 1080}));
}

FrameLayout layout(uint32_t fourcc, uint64_t modifier)
{
    return {64, 64, 256, 0, fourcc, modifier};
}

TEST(Formats, TheOpaqueTwinFirst)
{
    DmabufFormats formats;
    formats.add(DRM_FORMAT_ARGB8888, DRM_FORMAT_MOD_LINEAR);
    EXPECT_EQ(formats.choose(layout(DRM_FORMAT_ARGB8888, 0))->first, uint32_t{DRM_FORMAT_ARGB8888});
    formats.add(DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_LINEAR);
    EXPECT_EQ(formats.choose(layout(DRM_FORMAT_ARGB8888, 0))->first, uint32_t{DRM_FORMAT_XRGB8888});
}

TEST(Formats, NoModifierIsLinearWhereThatCanBeSaid)
{
    DmabufFormats formats;
    formats.add(DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_INVALID);
    const auto frame = layout(DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_INVALID);
    EXPECT_EQ(formats.choose(frame)->second, uint64_t{DRM_FORMAT_MOD_INVALID});
    formats.add(DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_LINEAR);
    EXPECT_EQ(formats.choose(frame)->second, uint64_t{DRM_FORMAT_MOD_LINEAR});
}

TEST(Formats, WhatIsNotListedIsRefusedByName)
{
    DmabufFormats formats;
    formats.add(DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_LINEAR);
    const auto refused = formats.choose(layout(DRM_FORMAT_XRGB8888, I915_FORMAT_MOD_X_TILED));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EOPNOTSUPP);
    EXPECT_NE(refused.error().text.find("XR24"), std::string::npos) << refused.error().text;
    EXPECT_NE(refused.error().text.find("0x100000000000001"), std::string::npos) << refused.error().text;
}

TEST(Times, PercentilesOfTheLastThousand)
{
    Latency latency;
    EXPECT_TRUE(latency.summary()["median_us"].is_null());
    for (uint64_t i = 0; i < 5000; i++)
        latency.add(i < 4000 ? 1'000'000 : i % 100);
    EXPECT_EQ(latency.summary()["frames"], 5000);
    latency.add(0);
    for (int i = 0; i < 100; i++)
        latency.add(50);
    EXPECT_LE(latency.summary()["max_us"].get<uint64_t>(), 99U) << "the first ones are forgotten";
}

} // namespace
} // namespace vramlink::test
