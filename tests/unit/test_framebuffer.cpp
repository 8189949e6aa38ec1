// SPDX-License-Identifier: GPL-2.0-or-later
//
// SET_SCANOUT_BLOB's geometry: everything in it is the guest's choice.

#include "hw/blob/framebuffer.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace vramlink {
namespace {

constexpr uint32_t max32 = std::numeric_limits<uint32_t>::max();
constexpr uint64_t blob_size = 100ULL * 100 * 4;
constexpr vrl_layout packed{0, 1, VRL_MODIFIER_NONE, {{4, 1, 1}}};
constexpr FramebufferRequest good{.layout = packed,
                                  .width = 100,
                                  .height = 100,
                                  .x = 0,
                                  .y = 0,
                                  .rect_width = 100,
                                  .rect_height = 100,
                                  .stride = {400},
                                  .offset = {}};

template <class Change> auto make(Change change, uint64_t size = blob_size)
{
    FramebufferRequest request = good;
    change(request);
    return make_framebuffer(size, request);
}

TEST(Framebuffer, StartsAtTheRectangle)
{
    const auto fb = make([](auto &r) { r.x = 10, r.y = 20, r.rect_width = 90, r.rect_height = 80; });
    ASSERT_TRUE(fb.has_value());
    EXPECT_EQ(fb->start, 20U * 400 + 10 * 4);
    EXPECT_EQ(framebuffer_end(*fb), blob_size);
}

TEST(Framebuffer, HonoursThePlaneOffset)
{
    const auto fb = make([](auto &r) { r.offset[0] = 4096; }, blob_size + 4096);
    ASSERT_TRUE(fb.has_value());
    EXPECT_EQ(fb->start, 4096U);
    EXPECT_FALSE(make([](auto &r) { r.offset[0] = 4096; }, blob_size + 4095).has_value());
}

TEST(Framebuffer, TheLastRowNeedsNoStride)
{
    EXPECT_TRUE(make([](auto &r) { r.stride[0] = 500; }, 99 * 500 + 400).has_value());
    EXPECT_FALSE(make([](auto &r) { r.stride[0] = 500; }, 99 * 500 + 399).has_value());
}

TEST(Framebuffer, RefusesBadRectangles)
{
    EXPECT_FALSE(make([](auto &r) { r.rect_width = 0; }).has_value());
    EXPECT_FALSE(make([](auto &r) { r.rect_height = 0; }).has_value());
    EXPECT_FALSE(make([](auto &r) { r.x = 1; }).has_value());
    EXPECT_FALSE(make([](auto &r) { r.y = 1; }).has_value());
    EXPECT_FALSE(make([](auto &r) { r.x = max32, r.rect_width = 2; }).has_value());
    EXPECT_FALSE(make([](auto &r) { r.y = max32, r.rect_height = max32; }).has_value());
    EXPECT_FALSE(make([](auto &r) { r.width = 0, r.rect_width = 0; }).has_value());
}

TEST(Framebuffer, RefusesBadStrides)
{
    EXPECT_FALSE(make([](auto &r) { r.stride[0] = 399; }).has_value());
    EXPECT_FALSE(make([](auto &r) { r.stride[0] = 0, r.height = 1, r.rect_height = 1; }).has_value());
    EXPECT_FALSE(make([](auto &r) { r.layout.plane[0].bytes = 0; }).has_value());
    // width * bytes_pp is 2^32: as 32 bits it would be 0, shorter than any stride.
    EXPECT_FALSE(make([](auto &r) { r.width = 1U << 30, r.stride[0] = 400; }).has_value());
}

TEST(Framebuffer, TheLargestNumbersDoNotWrap)
{
    const FramebufferRequest largest{.layout = packed,
                                     .width = max32 / 4,
                                     .height = max32,
                                     .x = 0,
                                     .y = 0,
                                     .rect_width = 1,
                                     .rect_height = 1,
                                     .stride = {max32},
                                     .offset = {max32}};
    const auto refused = make_framebuffer(blob_size, largest);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().status, VRL_ERR_INVALID_PARAMETER);
    EXPECT_NE(refused.error().sentence.find("a blob of 40000"), std::string::npos)
        << refused.error().sentence;
    EXPECT_TRUE(make_framebuffer(std::numeric_limits<uint64_t>::max(), largest).has_value());
}

TEST(Framebuffer, EndRefusesWhatDoesNotFit)
{
    const auto pixel_at = [](uint64_t start, uint32_t width) {
        return vrl_framebuffer{width, 1, 4, 4, start, packed, {}};
    };
    EXPECT_FALSE(framebuffer_end(pixel_at(0, 0)).has_value());
    EXPECT_FALSE(framebuffer_end(pixel_at(std::numeric_limits<uint64_t>::max() - 3, 1)).has_value());
    EXPECT_EQ(framebuffer_end(pixel_at(8, 1)), 12U);
}

} // namespace
} // namespace vramlink
