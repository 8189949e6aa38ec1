// SPDX-License-Identifier: GPL-2.0-or-later
//
// Layouts: the eight formats that virtio-gpu defines for 2D, and those that guest and host agree on with the
// property `layouts`: YUV with two planes, ten bits, and modifiers.

#include "tests/device/consumer.hpp"
#include "tests/device/ground.hpp"

#include <drm_fourcc.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <ostream>

namespace vramlink::test {
namespace {

constexpr std::uint32_t id = 10;
constexpr std::uint32_t width = 64, height = 48;
constexpr const char *render_node = "/dev/dri/renderD128";

struct Format {
    const char *name;
    std::uint32_t virtio;
    std::uint32_t fourcc;
    std::array<unsigned, 3> place; ///< byte of a pixel in memory that holds red, green, blue
};

/// virtio 1.3, 5.7.6.8: the names tell the order of bytes in memory. DRM's tell a little-endian word.
const Format formats[] = {
    {"B8G8R8A8", VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, DRM_FORMAT_ARGB8888, {2, 1, 0}},
    {"B8G8R8X8", VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, DRM_FORMAT_XRGB8888, {2, 1, 0}},
    {"A8R8G8B8", VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, DRM_FORMAT_BGRA8888, {1, 2, 3}},
    {"X8R8G8B8", VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, DRM_FORMAT_BGRX8888, {1, 2, 3}},
    {"R8G8B8A8", VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, DRM_FORMAT_ABGR8888, {0, 1, 2}},
    {"X8B8G8R8", VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, DRM_FORMAT_RGBX8888, {3, 2, 1}},
    {"A8B8G8R8", VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, DRM_FORMAT_RGBA8888, {3, 2, 1}},
    {"R8G8B8X8", VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, DRM_FORMAT_XBGR8888, {0, 1, 2}},
};

/// The picture as this format's bytes, rows @p stride bytes apart; alpha is 255, what lies between rows 0xee.
Bytes encode(const Format &format, const Picture &picture, std::uint32_t stride)
{
    Bytes bytes(std::size_t{stride} * picture.height, 0xee);
    for (std::uint32_t y = 0; y < picture.height; y++) {
        for (std::uint32_t x = 0; x < picture.width; x++) {
            const std::uint32_t pixel = picture.pixels[std::size_t{y} * picture.width + x];
            std::uint8_t *at = &bytes[std::size_t{y} * stride + 4 * x];
            std::fill(at, at + 4, std::uint8_t{255});
            for (unsigned colour = 0; colour < 3; colour++)
                at[format.place[colour]] = static_cast<std::uint8_t>(pixel >> (16 - 8 * colour));
        }
    }
    return bytes;
}

/// Writes bytes into the memory that the entries describe, from byte @p skip of the blob on.
void put_bytes(Machine &machine, const std::vector<Entry> &entries, const Bytes &bytes, std::uint64_t skip)
{
    Picture words{static_cast<std::uint32_t>(bytes.size() / 4), 1, {}};
    words.pixels.resize(words.width);
    std::memcpy(words.pixels.data(), bytes.data(), words.bytes());
    put(machine, entries, words, skip);
}

std::vector<Entry> bar_memory(const Machine::Bar &bar, std::uint64_t size)
{
    return scattered(bar.address, static_cast<std::uint32_t>((size + page - 1) / page), 5, 2);
}

Machine::Options options_with(Where where, const std::string &display, const std::string &layouts = "")
{
    auto options = ground_options(where);
    options.display = display;
    options.gpu += ",still-ms=60000"; // tests do not depend on speed
    if (!layouts.empty())             // a comma is doubled in QEMU's option lists
        options.gpu += ",layouts=" + layouts;
    return options;
}

/// Shows the format's picture at @p offset of a blob; compares the screendump, before and after a repaint of
/// a part. False when something was refused.
void expect_picture(Machine &machine, Gpu &gpu, const Machine::Bar &bar, const Format &format,
                    std::uint32_t offset, std::uint32_t stride)
{
    const Picture first = paint(width, height, 1), second = paint(width, height, 2);
    const std::uint64_t size = offset + std::uint64_t{stride} * height;
    const auto entries = bar_memory(bar, size);
    put_bytes(machine, entries, encode(format, first, stride), offset);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, size, entries)), "OK");
    BlobScanout scanout = Ground::scanout_of(id, first);
    scanout.format = format.virtio;
    scanout.stride = stride;
    scanout.offset = offset;
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "OK");
    EXPECT_EQ(difference(first, screendump(machine)), "") << format.name;
    put_bytes(machine, entries, encode(format, second, stride), offset);
    ASSERT_STREQ(answer_name(gpu.flush(id, {0, 0, width, height})), "OK");
    EXPECT_EQ(difference(second, screendump(machine)), "") << format.name;
    ASSERT_STREQ(answer_name(gpu.detach(id)), "OK");
    EXPECT_EQ(difference(second, screendump(machine)), "") << format.name << ", a still";
    ASSERT_STREQ(answer_name(gpu.unref(id)), "OK");
}

TEST(Layouts, TheEightFormatsOfVirtioGpu)
{
    Machine machine(options_with(Where::Ivshmem, "none"));
    Gpu gpu(machine);
    const auto bar = machine.map_bar(Ground::near_slot, 2);
    for (const Format &format : formats) {
        expect_picture(machine, gpu, bar, format, 0, 4 * width);
        expect_picture(machine, gpu, bar, format, 1236, 4 * width + 20);
        expect_picture(machine, gpu, bar, format, 2 * page, 4 * width + 256);
    }
}

/// 10 bits a colour, of which a screendump has eight.
TEST(Layouts, TenBits)
{
    Machine machine(options_with(Where::Ivshmem, "none", "XR30"));
    Gpu gpu(machine);
    const Picture picture = paint(width, height, 1);
    Bytes bytes(picture.bytes());
    for (std::size_t i = 0; i < picture.pixels.size(); i++) {
        const auto ten = [&](unsigned shift) {
            const std::uint32_t eight = picture.pixels[i] >> shift & 0xff;
            return eight << 2 | eight >> 6;
        };
        const std::uint32_t pixel = ten(16) << 20 | ten(8) << 10 | ten(0);
        std::memcpy(&bytes[4 * i], &pixel, 4);
    }
    const auto entries = bar_memory(machine.map_bar(Ground::near_slot, 2), picture.bytes());
    put_bytes(machine, entries, bytes, 0);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, picture.bytes(), entries)), "OK");
    BlobScanout scanout = Ground::scanout_of(id, picture);
    scanout.format = DRM_FORMAT_XRGB2101010;
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "OK");
    EXPECT_EQ(difference(picture, screendump(machine)), "");
    EXPECT_NE(machine.blob(id).value("shown", "").find("converted"), std::string::npos);
    scanout.format = DRM_FORMAT_ARGB2101010;
    EXPECT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "ERR_INVALID_PARAMETER") << "not listed";
}

/// A frame of blocks of 2x2 pixels, so that half the resolution of colour loses nothing.
struct Yuv {
    std::uint32_t fourcc;
    std::uint32_t luma_stride, chroma_stride, chroma_offset; ///< bytes
    Bytes bytes;
    Picture expected;
};

/// BT.601, limited range (ITU-R BT.601-7).
std::uint32_t rgb_of(unsigned y, unsigned u, unsigned v)
{
    const double luma = 255.0 / 219.0 * (static_cast<double>(y) - 16);
    const double cb = (static_cast<double>(u) - 128) / 224.0 * 255.0,
                 cr = (static_cast<double>(v) - 128) / 224.0 * 255.0;
    const auto clip = [](double value) {
        return static_cast<std::uint32_t>(std::lround(std::min(255.0, std::max(0.0, value))));
    };
    return clip(luma + 1.402 * cr) << 16 | clip(luma - 0.344136 * cb - 0.714136 * cr) << 8 |
           clip(luma + 1.772 * cb);
}

Yuv make_yuv(std::uint32_t fourcc, std::uint32_t seed)
{
    const std::uint32_t sample = fourcc == DRM_FORMAT_P010 ? 2 : 1;
    Yuv yuv{fourcc, width * sample + 32, width * sample + 64, 0, {}, {width, height, {}}};
    yuv.chroma_offset = yuv.luma_stride * height + 128;
    yuv.bytes.resize(yuv.chroma_offset + yuv.chroma_stride * height / 2);
    yuv.expected.pixels.resize(std::size_t{width} * height);
    const auto store = [&](std::size_t at, unsigned value) {
        if (sample == 2) // ten bits in the upper part of a little-endian word
            yuv.bytes[at + 1] = static_cast<std::uint8_t>(value);
        else
            yuv.bytes[at] = static_cast<std::uint8_t>(value);
    };
    for (std::uint32_t y = 0; y < height; y++) {
        for (std::uint32_t x = 0; x < width; x++) {
            const unsigned luma = 16 + (x * 3 + y * 5 + seed * 7) % 220;
            const unsigned u = 60 + (x / 2 * 4 + seed) % 140, v = 60 + (y / 2 * 6 + seed) % 140;
            store(y * yuv.luma_stride + x * sample, luma);
            const std::size_t chroma = yuv.chroma_offset + y / 2 * yuv.chroma_stride + x / 2 * 2 * sample;
            store(chroma, u);
            store(chroma + sample, v);
            yuv.expected.pixels[std::size_t{y} * width + x] = rgb_of(luma, u, v);
        }
    }
    return yuv;
}

/// The largest difference of a colour; 256 when the sizes differ.
int worst(const Picture &a, const Picture &b)
{
    if (a.width != b.width || a.height != b.height)
        return 256;
    int worst = 0;
    for (std::size_t i = 0; i < a.pixels.size(); i++) {
        for (const unsigned shift : {0u, 8u, 16u})
            worst = std::max(worst, std::abs(static_cast<int>(a.pixels[i] >> shift & 0xff) -
                                             static_cast<int>(b.pixels[i] >> shift & 0xff)));
    }
    return worst;
}

BlobScanout scanout_of(const Yuv &yuv)
{
    BlobScanout scanout = Ground::scanout_of(id, yuv.expected);
    scanout.format = yuv.fourcc;
    scanout.stride = yuv.luma_stride;
    scanout.second_stride = yuv.chroma_stride;
    scanout.second_offset = yuv.chroma_offset;
    return scanout;
}

/// libyuv calculates with integers.
constexpr int rounding = 4;

void expect_yuv(Machine &machine, Gpu &gpu, const Machine::Bar &bar, std::uint32_t fourcc)
{
    const Yuv first = make_yuv(fourcc, 1), second = make_yuv(fourcc, 9);
    const auto entries = bar_memory(bar, first.bytes.size());
    put_bytes(machine, entries, first.bytes, 0);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, first.bytes.size(), entries)), "OK");
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(scanout_of(first))), "OK");
    EXPECT_LE(worst(first.expected, screendump(machine)), rounding);
    EXPECT_NE(machine.blob(id).value("shown", "").find("converted"), std::string::npos)
        << machine.blob(id).dump();
    // Only the damaged part is read again.
    const Json before = machine.stats()["totals"]["bytes_copied"];
    put_bytes(machine, entries, second.bytes, 0);
    ASSERT_STREQ(answer_name(gpu.flush(id, {8, 16, 16, 8})), "OK");
    const Picture mixed = screendump(machine);
    EXPECT_LE(worst(second.expected.part({8, 16, 16, 8}), mixed.part({8, 16, 16, 8})), rounding);
    EXPECT_LE(worst(first.expected.part({0, 0, width, 16}), mixed.part({0, 0, width, 16})), rounding);
    EXPECT_EQ(machine.stats()["totals"]["bytes_copied"].get<int>() - before.get<int>(), 16 * 8 * 4);
    ASSERT_STREQ(answer_name(gpu.flush(id, {0, 0, width, height})), "OK");
    EXPECT_LE(worst(second.expected, screendump(machine)), rounding);
    // A part of it, whose first pixel begins a sample.
    BlobScanout part = scanout_of(second);
    part.rect = {16, 8, 32, 32};
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(part)), "OK");
    EXPECT_LE(worst(second.expected.part(part.rect), screendump(machine)), rounding);
    // And it moves like any other.
    ASSERT_STREQ(answer_name(gpu.detach(id)), "OK");
    put_bytes(machine, entries, first.bytes, 0);
    EXPECT_LE(worst(second.expected.part(part.rect), screendump(machine)), rounding);
    ASSERT_STREQ(answer_name(gpu.attach(id, entries)), "OK");
    EXPECT_LE(worst(first.expected.part(part.rect), screendump(machine)), rounding);
    ASSERT_STREQ(answer_name(gpu.unref(id)), "OK");
}

TEST(Layouts, Nv12AndP010AreConverted)
{
    Machine machine(options_with(Where::Ivshmem, "none", "NV12,,P010"));
    Gpu gpu(machine);
    const auto bar = machine.map_bar(Ground::near_slot, 2);
    expect_yuv(machine, gpu, bar, DRM_FORMAT_NV12);
    expect_yuv(machine, gpu, bar, DRM_FORMAT_P010);
}

struct Wrong {
    const char *name;
    std::function<void(BlobScanout &)> change;
    const char *sentence;
};

TEST(Layouts, PlanesAreChecked)
{
    Machine machine(options_with(Where::Ivshmem, "none", "NV12,,BX24:0x0100000000000002"));
    Gpu gpu(machine);
    const Yuv yuv = make_yuv(DRM_FORMAT_NV12, 1);
    const auto entries = bar_memory(machine.map_bar(Ground::near_slot, 2), yuv.bytes.size());
    ASSERT_STREQ(answer_name(gpu.create_blob(id, yuv.bytes.size(), entries)), "OK");
    const Wrong wrong[] = {
        {"ends past the blob", [](auto &s) { s.second_offset += 68; },
         "plane 1: a framebuffer that ends at byte"},
        {"ends far past it", [](auto &s) { s.second_offset = 0xfffffffc; },
         "plane 1: a framebuffer that ends"},
        {"short stride", [](auto &s) { s.second_stride = width - 4; }, "plane 1: a stride of 60 bytes"},
        {"unaligned", [](auto &s) { s.second_offset += 2; }, "both must be multiples of 4"},
        {"between samples",
         [](auto &s) {
             s.rect = {1, 0, 32, 32};
         },
         "plane 1: a rectangle at 1,0"},
        {"an odd row",
         [](auto &s) {
             s.rect = {0, 3, 32, 32};
         },
         "plane 1: a rectangle at 0,3"},
        {"not listed", [](auto &s) { s.format = DRM_FORMAT_P010; }, "none of the property layouts"},
        {"tiled, for the CPU",
         [](auto &s) {
             s.format = VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, s.stride = 4 * width, s.height = s.rect.height = 16,
             s.second_stride = 0;
         },
         "the modifier 0x100000000000002 is only for displays that take dma-bufs"},
        {"tiled, from the middle",
         [](auto &s) {
             s.format = VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, s.stride = 4 * width, s.height = 17,
             s.second_stride = 0;
             s.rect = {0, 1, width, 16};
         },
         "with one it starts at 0,0"},
        {"tiled, with metadata",
         [](auto &s) {
             s.format = VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, s.stride = 4 * width, s.height = s.rect.height = 16;
         },
         "planes of metadata are not supported"},
    };
    for (const Wrong &row : wrong) {
        machine.new_messages();
        BlobScanout scanout = scanout_of(yuv);
        row.change(scanout);
        EXPECT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "ERR_INVALID_PARAMETER") << row.name;
        const std::string messages = machine.new_messages();
        EXPECT_NE(messages.find(row.sentence), std::string::npos) << row.name << ": " << messages;
    }
    EXPECT_STREQ(answer_name(gpu.set_scanout_blob(scanout_of(yuv))), "OK");
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");
}

/// What a display in another process is told: fourcc and modifier of each format.
TEST(VfioLayouts, FourccAndModifierReachTheDisplay)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    constexpr std::uint64_t tiled = 0x0100000000000002;
    Machine machine(options_with(Where::Vfio, "dbus,p2p=yes,gl=on", "XR24:0x0100000000000002,,XR30"));
    Gpu gpu(machine);
    const std::uint64_t size = std::uint64_t{8} * width * height;
    const auto entries = bar_memory(machine.map_bar(Ground::near_slot, 2), size);
    ASSERT_STREQ(answer_name(gpu.create_blob(id, size, entries)), "OK");
    Recorder recorder(machine);
    std::vector<Format> all(std::begin(formats), std::end(formats));
    all.push_back({"XR30", DRM_FORMAT_XRGB2101010, DRM_FORMAT_XRGB2101010, {}});
    for (const Format &format : all) {
        const unsigned start = recorder.count();
        BlobScanout scanout{.id = id, .rect = {0, 0, width, height}, .width = width, .height = height};
        scanout.format = format.virtio;
        scanout.stride = 4 * width + 64;
        scanout.offset = page;
        ASSERT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "OK") << format.name;
        const recorded *call = recorder.wait(RECORDED_SCANOUT_DMABUF, start, [&](auto &c) {
            return std::string(c.exporter).starts_with("vfio") && c.format == format.fourcc;
        });
        ASSERT_TRUE(call) << format.name << ": fourcc "
                          << (recorder.last(RECORDED_SCANOUT_DMABUF, start)
                                  ? recorder.last(RECORDED_SCANOUT_DMABUF, start)->format
                                  : 0);
        EXPECT_EQ(call->modifier, format.fourcc == DRM_FORMAT_XRGB8888 ? tiled : DRM_FORMAT_MOD_INVALID)
            << format.name;
        EXPECT_EQ(call->stride, scanout.stride);
        ASSERT_STREQ(answer_name(gpu.flush(id, {0, 0, width, height})), "OK");
    }
    // A tiled frame is nothing that the CPU could keep: its move goes through a Disable.
    BlobScanout scanout{.id = id, .rect = {0, 0, width, height}, .width = width, .height = height};
    scanout.stride = 4 * width;
    ASSERT_STREQ(answer_name(gpu.set_scanout_blob(scanout)), "OK");
    const unsigned start = recorder.count();
    ASSERT_STREQ(answer_name(gpu.detach(id)), "OK");
    EXPECT_TRUE(recorder.wait(RECORDED_DISABLE, start, [](auto &) { return true; }));
    EXPECT_EQ(machine.stats()["totals"]["stills_lost"], 1);
    EXPECT_STREQ(answer_name(gpu.unref(id)), "OK");
}

/// QEMU makes textures of four of the formats and ends the VM for others: a display with GL gets a copy.
TEST(VfioLayouts, EveryFormatOnADisplayWithGl)
{
    ASSERT_GE(vfio_hosts().size(), 2u) << "VRAMLINK_VFIO names too few devices";
    Machine machine(options_with(Where::Vfio, std::string("egl-headless,rendernode=") + render_node));
    Gpu gpu(machine);
    const auto bar = machine.map_bar(Ground::near_slot, 2);
    for (const Format &format : formats) {
        expect_picture(machine, gpu, bar, format, 0, 4 * width);
        expect_picture(machine, gpu, bar, format, 1236, 4 * width + 20); // no dma-buf begins there
    }
    EXPECT_NE(machine.stats()["history"].dump().find("converted"), std::string::npos);
}

} // namespace
} // namespace vramlink::test
