// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/pixel_copy.hpp"

#include "tools/viewer/listener_protocol.hpp"

#include <algorithm>
#include <cstring>

namespace vramlink {
namespace {

/// Five or six bits widened to eight, so that full stays full.
uint32_t widen(uint32_t value, unsigned bits)
{
    return (value << (8 - bits)) | (value >> (2 * bits - 8));
}

uint32_t from_565(uint32_t v)
{
    return widen((v >> 11) & 0x1f, 5) << 16 | widen((v >> 5) & 0x3f, 6) << 8 | widen(v & 0x1f, 5);
}

uint32_t to_xrgb(const uint8_t *at, PixelFormat format)
{
    if (format == PixelFormat::r5g6b5) {
        uint16_t v = 0;
        std::memcpy(&v, at, sizeof(v));
        return from_565(v);
    }
    uint32_t v = 0;
    std::memcpy(&v, at, sizeof(v));
    switch (format) {
    case PixelFormat::x8b8g8r8:
    case PixelFormat::a8b8g8r8:
        return (v & 0xff00) | (v & 0xff) << 16 | ((v >> 16) & 0xff);
    case PixelFormat::b8g8r8x8:
    case PixelFormat::b8g8r8a8:
        return __builtin_bswap32(v) & 0xffffff;
    case PixelFormat::r8g8b8x8:
    case PixelFormat::r8g8b8a8:
        return v >> 8;
    default:
        return v;
    }
}

} // namespace

uint64_t copy_pixels(const Pixels &from, uint32_t x, uint32_t y, Canvas &to)
{
    const auto pixel = bytes_per_pixel(from.format);
    if (!pixel || x >= to.width() || y >= to.height())
        return 0;
    const uint32_t width = std::min(from.width, to.width() - x);
    const uint32_t height = std::min(from.height, to.height() - y);
    const bool same = from.format == PixelFormat::x8r8g8b8 || from.format == PixelFormat::a8r8g8b8;
    for (uint32_t row = 0; row < height; row++) {
        const uint8_t *source = from.data.data() + uint64_t{row} * from.stride;
        uint32_t *target = to.row(y + row).subspan(x).data();
        if (same) {
            std::memcpy(target, source, size_t{width} * 4);
            continue;
        }
        for (uint32_t column = 0; column < width; column++)
            target[column] = to_xrgb(source + size_t{column} * *pixel, from.format);
    }
    return uint64_t{width} * height * 4;
}

} // namespace vramlink
