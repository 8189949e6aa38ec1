// SPDX-License-Identifier: GPL-2.0-or-later
//
// Layouts beyond one packed plane: the user's list, planes against the blob's size, conversion, stills.

#include "hw/blob/framebuffer.hpp"
#include "hw/blob/layouts.hpp"
#include "hw/blob/still.hpp"
#include "tests/unit/fake_vmm.hpp"

#include <drm_fourcc.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace vramlink::test {
namespace {

constexpr uint32_t max32 = std::numeric_limits<uint32_t>::max();

TEST(LayoutList, TakesFormatsWithAndWithoutModifiers)
{
    const auto list = parse_layouts("XR24:0x0100000000000002,NV12,P010:5");
    ASSERT_TRUE(list.has_value()) << list.error().text;
    ASSERT_EQ(list->size(), 3U);
    EXPECT_EQ(list->at(0).fourcc, DRM_FORMAT_XRGB8888);
    EXPECT_EQ(list->at(0).modifier, 0x0100000000000002ULL);
    EXPECT_EQ(list->at(0).nr_planes, 1U);
    EXPECT_EQ(list->at(1).modifier, DRM_FORMAT_MOD_INVALID);
    EXPECT_EQ(list->at(1).nr_planes, 2U);
    EXPECT_TRUE(vrl_layout_is_linear(&list->at(1)));
    EXPECT_EQ(list->at(2).modifier, 5U);
    EXPECT_FALSE(vrl_layout_is_linear(&list->at(2)));
    EXPECT_TRUE(parse_layouts("")->empty());
    EXPECT_EQ(parse_layouts("XR24:0xffffffffffffffff")->at(0).modifier, ~0ULL);
}

TEST(LayoutList, NamesWhatIsWrong)
{
    for (const char *wrong : {"XR2", "XR24 ", "XR24,", ",", "XR24,,NV12", "XR24:", "XR24:0x", "XR24:-1",
                              "XR24:1x", "XR24:0x10000000000000000", "NV12,NV12:1", "\n"})
        EXPECT_FALSE(parse_layouts(wrong).has_value()) << wrong;
    EXPECT_NE(parse_layouts("YV99").error().text.find("'YV99' is none of the formats XR24"),
              std::string::npos);
}

FramebufferRequest nv12(uint32_t width, uint32_t height)
{
    FramebufferRequest request{};
    request.layout = *parse_layout("NV12");
    request.width = request.rect_width = width;
    request.height = request.rect_height = height;
    request.stride[0] = width;
    request.stride[1] = 2 * ((width + 1) / 2);
    request.offset[1] = width * height;
    return request;
}

TEST(Planes, EndToTheByte)
{
    const auto even = make_framebuffer(64 * 32 * 3 / 2, nv12(64, 32));
    ASSERT_TRUE(even.has_value()) << even.error().sentence;
    EXPECT_EQ(even->more[0].start, 64U * 32);
    EXPECT_EQ(framebuffer_end(*even), 64U * 32 * 3 / 2);
    EXPECT_FALSE(make_framebuffer(64 * 32 * 3 / 2 - 1, nv12(64, 32)).has_value());
    // Odd sizes have samples for the last column and row, too.
    const uint64_t odd = 63 * 31 + 64 * 16;
    EXPECT_TRUE(make_framebuffer(odd, nv12(63, 31)).has_value());
    EXPECT_EQ(framebuffer_end(*make_framebuffer(odd, nv12(63, 31))), odd);
    EXPECT_FALSE(make_framebuffer(odd - 1, nv12(63, 31)).has_value());
}

TEST(Planes, RectanglesBeginWithASample)
{
    auto request = nv12(64, 32);
    request.x = 2, request.y = 4, request.rect_width = 11, request.rect_height = 7;
    const auto fb = make_framebuffer(64 * 32 * 3 / 2, request);
    ASSERT_TRUE(fb.has_value());
    EXPECT_EQ(fb->start, 4U * 64 + 2);
    EXPECT_EQ(fb->more[0].start, 64U * 32 + 2 * 64 + 2);
    request.x = 3;
    EXPECT_FALSE(make_framebuffer(64 * 32 * 3 / 2, request).has_value());
}

TEST(Planes, TiledOnesAreTheDriversBusinessButForTheirSize)
{
    FramebufferRequest request{};
    request.layout = *parse_layout("XR24:2");
    request.width = request.height = request.rect_width = request.rect_height = 64;
    request.stride[0] = 256;
    EXPECT_TRUE(make_framebuffer(64 * 256, request).has_value());
    EXPECT_FALSE(make_framebuffer(64 * 256 - 1, request).has_value());
    request.stride[1] = 64;
    EXPECT_NE(make_framebuffer(64 * 256, request).error().sentence.find("planes of metadata"),
              std::string::npos);
}

/// Whatever a guest says: no start and no end lies outside of the blob, by arithmetic of 128 bits.
TEST(Planes, NothingThatIsTakenLeavesTheBlob)
{
    std::mt19937_64 random(1);
    const auto number = [&](uint32_t usual) {
        const auto kind = random() % 8;
        return kind < 5    ? static_cast<uint32_t>(random() % (usual + 1))
               : kind == 5 ? max32 - static_cast<uint32_t>(random() % 4)
                           : static_cast<uint32_t>(random());
    };
    constexpr std::array formats{"NV12", "P010", "XR24", "AR30", "NV12:7"};
    int taken = 0;
    for (int i = 0; i < 200'000; ++i) {
        FramebufferRequest request{};
        request.layout = *parse_layout(formats[random() % formats.size()]);
        request.width = number(256), request.height = number(256);
        request.x = number(16), request.y = number(16);
        request.rect_width = number(256), request.rect_height = number(256);
        for (uint32_t p = 0; p < VRL_MAX_PLANES; ++p)
            request.stride[p] = p < 2 ? number(2048) : 0, request.offset[p] = number(100'000);
        const uint64_t size = random() % 4 != 0 ? number(1'000'000) : random();
        const auto fb = make_framebuffer(size, request);
        if (!fb)
            continue;
        ++taken;
        ASSERT_LE(framebuffer_end(*fb).value(), size);
        for (uint32_t p = 0; p < request.layout.nr_planes; ++p) {
            __extension__ using Wide = unsigned __int128;
            const vrl_samples &s = request.layout.plane[p];
            const Wide rows = (Wide{request.height} + s.down - 1) / s.down;
            const Wide row = (Wide{request.width} + s.across - 1) / s.across * s.bytes;
            const Wide end = request.offset[p] + (rows - 1) * request.stride[p] + row;
            ASSERT_TRUE(end <= size);
            ASSERT_TRUE(row <= request.stride[p]);
        }
    }
    EXPECT_GT(taken, 500);
}

TEST(Stills, AreMemoryThatIsSharedByName)
{
    Bench bench;
    const size_t fds = open_fds();
    vrl_still *still = vrl_still_new(bench.get(), 1024, 100);
    ASSERT_NE(still, nullptr);
    std::memset(vrl_still_pixels(still), 0x55, 1024 * 100);
    EXPECT_GE(vrl_still_dmabuf(still), 0);
    EXPECT_EQ(bench.calls.names, std::vector<std::string>{VRL_STILL_NAME});
    EXPECT_EQ(open_fds(), fds + 1) << "the memfd is closed, the dma-buf keeps its pages";
    EXPECT_EQ(mappings_of(VRL_STILL_NAME), 1U);
    vrl_still_free(still);
    EXPECT_EQ(open_fds(), fds);
    EXPECT_EQ(mappings_of(VRL_STILL_NAME), 0U);
}

TEST(Stills, AreBoundedAndNeedUdmabuf)
{
    vrl_limits limits{};
    limits.max_bytes_copied = 2 * page;
    Bench bench(limits);
    const size_t fds = open_fds();
    EXPECT_EQ(vrl_still_new(bench.get(), max32, max32), nullptr);
    EXPECT_TRUE(bench.vmm.logged("is over the 8192 that are left of 8192"));
    vrl_still *one = vrl_still_new(bench.get(), page, 2);
    ASSERT_NE(one, nullptr);
    EXPECT_EQ(vrl_still_new(bench.get(), 1, 1), nullptr) << "the limit is for all of them";
    vrl_still_free(one);
    bench.calls.open_errno = ENOENT;
    EXPECT_EQ(vrl_still_new(bench.get(), page, 1), nullptr);
    EXPECT_TRUE(bench.vmm.logged("modprobe udmabuf"));
    bench.calls.open_errno = 0;
    bench.calls.ioctl_errno = EINVAL;
    EXPECT_EQ(vrl_still_new(bench.get(), page, 1), nullptr);
    bench.calls.ioctl_errno = 0;
    vrl_still_free(vrl_still_new(bench.get(), page, 2));
    EXPECT_EQ(open_fds(), fds);
}

TEST(Conversion, RefusesWhatIsNotYuvOrNotInside)
{
    Bench bench;
    FakeRegion &ram = bench.vmm.add_region(VRL_REGION_SHARED_RAM, 16 * page, "ram");
    bench.vmm.map(0, ram, 0, 16 * page);
    ASSERT_EQ(bench.create(1, 64 * 32 * 3 / 2, {{0, page, 0}}), VRL_OK);
    auto request = nv12(64, 32);
    vrl_framebuffer fb{};
    ASSERT_EQ(vrl_framebuffer_init(bench.get(), 1, &request, &fb), VRL_OK);
    std::vector<uint32_t> pixels(64 * 32, 0x12345678);
    EXPECT_TRUE(vrl_table_convert(bench.get(), 1, &fb, pixels.data(), 256, 0, 0, 64, 32));
    EXPECT_NE(pixels[64 * 32 - 1], 0x12345678U);
    pixels.assign(pixels.size(), 0x12345678);
    EXPECT_TRUE(vrl_table_convert(bench.get(), 1, &fb, pixels.data(), 256, 2, 2, 4, 4));
    EXPECT_EQ(pixels[0], 0x12345678U);
    EXPECT_NE(pixels[2 * 64 + 2], 0x12345678U);
    EXPECT_EQ(pixels[6 * 64 + 6], 0x12345678U);
    EXPECT_FALSE(vrl_table_convert(bench.get(), 1, &fb, pixels.data(), 256, 60, 0, 8, 8));
    EXPECT_FALSE(vrl_table_convert(bench.get(), 1, &fb, pixels.data(), 256, 0, max32, 8, 8));
    fb.layout = vrl_layout_packed(DRM_FORMAT_XRGB8888);
    EXPECT_FALSE(vrl_table_convert(bench.get(), 1, &fb, pixels.data(), 256, 0, 0, 8, 8));
}

} // namespace
} // namespace vramlink::test
