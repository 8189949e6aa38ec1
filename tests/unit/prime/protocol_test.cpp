// SPDX-License-Identifier: GPL-2.0-or-later
//
// Decoding what comes over D-Bus, and copying its pixels.

#include "hw/prime/drm_device.hpp"
#include "hw/prime/dumb_buffer.hpp"
#include "tests/unit/prime/fake_drm.hpp"
#include "tools/viewer/glib_ptr.hpp"
#include "tools/viewer/listener_protocol.hpp"
#include "tools/viewer/pixel_copy.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <limits>

namespace vramlink::test {
namespace {

constexpr uint32_t xrgb = static_cast<uint32_t>(PixelFormat::x8r8g8b8);

GVariant *bytes(size_t size)
{
    const std::vector<uint8_t> data(size, 0x5a);
    return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, data.data(), data.size(), 1);
}

GVariantPtr scanout(uint32_t width, uint32_t height, uint32_t stride, uint32_t format, size_t size)
{
    return GVariantPtr(
        g_variant_ref_sink(g_variant_new("(uuuu@ay)", width, height, stride, format, bytes(size))));
}

TEST(Protocol, ScanoutWithExactlyEnoughBytes)
{
    const auto message = scanout(3, 2, 16, xrgb, 16 + 12);
    const auto pixels = decode_scanout(message.get());
    ASSERT_TRUE(pixels.has_value()) << pixels.error().text;
    EXPECT_EQ(pixels->width, 3U);
    EXPECT_EQ(pixels->data.size(), 28U);
    EXPECT_EQ(pixels->data[27], 0x5a);
}

TEST(Protocol, HostileScanouts)
{
    constexpr uint32_t most = std::numeric_limits<uint32_t>::max();
    const struct {
        uint32_t width, height, stride, format;
        size_t size;
    } cases[] = {
        {0, 2, 16, xrgb, 64}, {3, 0, 16, xrgb, 64},          {most, 2, 16, xrgb, 64}, {3, most, 16, xrgb, 64},
        {3, 2, 11, xrgb, 64}, {3, 2, 0, xrgb, 64},           {3, 2, most, xrgb, 64},  {3, 2, 16, xrgb, 27},
        {3, 2, 16, xrgb, 0},  {16384, 16384, most, xrgb, 4}, {3, 2, 16, 0, 64},       {3, 2, 16, most, 64},
    };
    for (const auto &c : cases) {
        const auto message = scanout(c.width, c.height, c.stride, c.format, c.size);
        const auto refused = decode_scanout(message.get());
        ASSERT_FALSE(refused.has_value()) << c.width << "x" << c.height << " stride " << c.stride;
        EXPECT_EQ(refused.error().code, EINVAL);
    }
}

TEST(Protocol, HostileUpdates)
{
    constexpr int least = std::numeric_limits<int>::min();
    const struct {
        int x, y, width, height;
    } cases[] = {{-1, 0, 1, 1},    {0, least, 1, 1}, {0, 0, -1, 1},
                 {0, 0, 1, least}, {0, 0, 0, 1},     {0, 0, 2, 1}};
    for (const auto &c : cases) {
        const GVariantPtr message(g_variant_ref_sink(
            g_variant_new("(iiiiuu@ay)", c.x, c.y, c.width, c.height, 4U, xrgb, bytes(4))));
        EXPECT_FALSE(decode_update(message.get()).has_value()) << c.x << " " << c.y << " " << c.width;
    }
    const GVariantPtr good(g_variant_ref_sink(g_variant_new("(iiiiuu@ay)", 5, 6, 1, 1, 4U, xrgb, bytes(4))));
    EXPECT_EQ(decode_update(good.get())->y, 6U);
}

TEST(Protocol, DmabufHandleMustBeInTheMessage)
{
    for (const int index : {-1, 1, std::numeric_limits<int>::max()}) {
        std::vector<UniqueFd> fds;
        fds.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC)); // NOLINT: POSIX
        const GVariantPtr message(g_variant_ref_sink(
            g_variant_new("(huuuutb)", index, 1U, 1U, 4U, 0U, G_GUINT64_CONSTANT(0), FALSE)));
        const auto refused = decode_scanout_dmabuf(message.get(), fds);
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().code, EBADF);
        EXPECT_TRUE(fds[0].valid());
    }
}

TEST(Protocol, DmabufTakesItsDescriptor)
{
    std::vector<UniqueFd> fds(2);
    fds[1].reset(open("/dev/null", O_RDONLY | O_CLOEXEC)); // NOLINT: POSIX
    const GVariantPtr message(g_variant_ref_sink(
        g_variant_new("(huuuutb)", 1, 640U, 480U, 2560U, 0x34325258U, G_GUINT64_CONSTANT(7), TRUE)));
    const auto frame = decode_scanout_dmabuf(message.get(), fds);
    ASSERT_TRUE(frame.has_value());
    EXPECT_TRUE(frame->fd.valid());
    EXPECT_FALSE(fds[1].valid());
    EXPECT_EQ(frame->layout, (FrameLayout{640, 480, 2560, 0, 0x34325258U, 7}));
    EXPECT_TRUE(frame->bottom_up);
}

TEST(Protocol, InterfaceHasEveryMethodThatQemuCalls)
{
    GDBusInterfaceInfo *info = listener_interface_info();
    for (const char *method :
         {"Scanout", "Update", "ScanoutDMABUF", "UpdateDMABUF", "Disable", "MouseSet", "CursorDefine"})
        EXPECT_NE(g_dbus_interface_info_lookup_method(info, method), nullptr) << method;
    EXPECT_NE(g_dbus_interface_info_lookup_property(info, "Interfaces"), nullptr);
}

class PixelCopy : public ::testing::Test {
  protected:
    void SetUp() override
    {
        device = *DrmDevice::open(drm, "/dev/dri/card0");
        buffer = *DumbBuffer::create(*device, 4, 4);
    }
    uint32_t one(PixelFormat format, std::vector<uint8_t> raw)
    {
        EXPECT_EQ(copy_pixels({1, 1, 4, format, raw}, 0, 0, *buffer), 4U);
        return buffer->row(0)[0] & 0xffffff;
    }

    FakeDrm drm;
    std::unique_ptr<DrmDevice> device;
    std::unique_ptr<DumbBuffer> buffer;
};

TEST_F(PixelCopy, EveryFormatGivesTheSameColour)
{
    EXPECT_EQ(one(PixelFormat::x8r8g8b8, {0x30, 0x20, 0x10, 0xff}), 0x102030U);
    EXPECT_EQ(one(PixelFormat::x8b8g8r8, {0x10, 0x20, 0x30, 0xff}), 0x102030U);
    EXPECT_EQ(one(PixelFormat::b8g8r8x8, {0xff, 0x10, 0x20, 0x30}), 0x102030U);
    EXPECT_EQ(one(PixelFormat::r8g8b8x8, {0xff, 0x30, 0x20, 0x10}), 0x102030U);
    EXPECT_EQ(one(PixelFormat::r5g6b5, {0xff, 0xff}), 0xffffffU);
    EXPECT_EQ(one(PixelFormat::r5g6b5, {0x00, 0xf8}), 0xff0000U);
}

TEST_F(PixelCopy, IsCutAtTheEdges)
{
    const std::vector<uint8_t> raw(4 * 4 * 4, 0x77);
    const Pixels pixels{4, 4, 16, PixelFormat::x8r8g8b8, raw};
    EXPECT_EQ(copy_pixels(pixels, 3, 2, *buffer), 1U * 2 * 4);
    EXPECT_EQ(buffer->row(2)[2], 0U);
    EXPECT_EQ(buffer->row(3)[3], 0x77777777U);
    EXPECT_EQ(copy_pixels(pixels, 4, 0, *buffer), 0U);
    EXPECT_EQ(copy_pixels(pixels, 0, std::numeric_limits<uint32_t>::max(), *buffer), 0U);
}

} // namespace
} // namespace vramlink::test
