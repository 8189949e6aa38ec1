// SPDX-License-Identifier: GPL-2.0-or-later
//
// KmsCursor: the image on the plane, where it is, and what is left behind.

#include "hw/prime/kms_cursor.hpp"
#include "tests/unit/prime/fake_drm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace vramlink::test {
namespace {

class Cursor : public ::testing::Test {
  protected:
    void SetUp() override { cursor = std::make_unique<KmsCursor>(*device, 41); }
    void TearDown() override
    {
        cursor.reset();
        EXPECT_EQ(drm.cursor.handle, 0U) << "nothing is left on the screen";
        EXPECT_EQ(drm.handles.size(), 0U);
        EXPECT_EQ(drm.mappings.size(), 0U);
        EXPECT_EQ(drm.bad_closes, 0);
    }
    Result<void> set(uint32_t width, uint32_t height, uint32_t hot_x, uint32_t hot_y)
    {
        pixels.resize(size_t{width} * height * 4);
        return cursor->set_image({width, height, hot_x, hot_y, pixels});
    }
    void fill(uint32_t width, uint32_t height, uint32_t pixel)
    {
        pixels.clear();
        for (uint32_t i = 0; i < width * height; i++) {
            for (int byte = 0; byte < 4; byte++)
                pixels.push_back(static_cast<uint8_t>(pixel >> (8 * byte)));
        }
    }
    [[nodiscard]] auto moves() const
    {
        return std::ranges::count_if(drm.calls, [](const auto &call) { return call.starts_with("cursor"); });
    }

    FakeDrm drm;
    std::unique_ptr<DrmDevice> device = *DrmDevice::open(drm, "/dev/dri/card0");
    std::unique_ptr<KmsCursor> cursor;
    std::vector<uint8_t> pixels;
};

TEST_F(Cursor, ASmallImageLiesInTheCornerOfThePlane)
{
    fill(3, 2, 0x80402010);
    ASSERT_TRUE(set(3, 2, 1, 1));
    EXPECT_EQ(drm.cursor.width, 64U);
    EXPECT_EQ(drm.cursor.hot_x, 1);
    EXPECT_EQ(drm.cursor_image[0], 0x80402010U);
    EXPECT_EQ(drm.cursor_image[64 + 2], 0x80402010U);
    EXPECT_EQ(drm.cursor_image[3], 0U);
    EXPECT_EQ(drm.cursor_image[2 * 64], 0U);
}

TEST_F(Cursor, ALargeImageIsMadeSmallerAndItsHotSpotWithIt)
{
    fill(200, 100, 0xff808080);
    ASSERT_TRUE(set(200, 100, 100, 40));
    EXPECT_EQ(drm.cursor_image[0], 0xff808080U);
    EXPECT_EQ(drm.cursor_image[49], 0xff808080U);
    EXPECT_EQ(drm.cursor_image[50], 0U) << "200 pixels are 50 of 4";
    EXPECT_EQ(drm.cursor.hot_x, 25);
    EXPECT_EQ(drm.cursor.hot_y, 10);
}

TEST_F(Cursor, PointsWithItsHotSpotAndGoesOnWhenTheImageChanges)
{
    ASSERT_TRUE(set(16, 16, 4, 5));
    cursor->point_at(100, 200);
    EXPECT_EQ(drm.cursor_x, 96);
    EXPECT_EQ(drm.cursor_y, 195);
    ASSERT_TRUE(set(16, 16, 0, 0));
    EXPECT_EQ(drm.cursor_x, 100);
    EXPECT_EQ(drm.cursor_y, 200);
}

TEST_F(Cursor, IsHiddenShownAndTakenAway)
{
    ASSERT_TRUE(set(16, 16, 0, 0));
    ASSERT_TRUE(cursor->show(false));
    EXPECT_EQ(drm.cursor.handle, 0U);
    ASSERT_TRUE(cursor->show(true));
    EXPECT_NE(drm.cursor.handle, 0U);
    ASSERT_TRUE(cursor->set_image({}));
    EXPECT_EQ(drm.cursor.handle, 0U);
    EXPECT_EQ(drm.handles.size(), 0U);
}

TEST_F(Cursor, ARefusalIsToldOnce)
{
    drm.cursor_error = ENXIO;
    const auto refused = set(16, 16, 0, 0);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ENXIO);
    EXPECT_TRUE(set(16, 16, 0, 0).has_value());
}

TEST_F(Cursor, AsleepAsksForNothingAndAwakeShowsTheLast)
{
    ASSERT_TRUE(set(16, 16, 0, 0));
    cursor->sleep();
    const auto before = moves();
    ASSERT_TRUE(set(8, 8, 2, 2));
    cursor->point_at(50, 60);
    EXPECT_EQ(moves(), before);
    cursor->wake();
    EXPECT_EQ(drm.cursor.hot_x, 2);
    EXPECT_EQ(drm.cursor_x, 48);
    EXPECT_EQ(drm.cursor_y, 58);
    cursor->sleep();
    ASSERT_TRUE(cursor->set_image({}));
    cursor->wake();
    EXPECT_EQ(drm.cursor.handle, 0U) << "whatever was there is gone";
}

} // namespace
} // namespace vramlink::test
