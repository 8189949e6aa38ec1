// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/fourcc.hpp"

#include <drm_fourcc.h>
#include <fmt/format.h>

#include <array>
#include <cctype>

namespace vramlink {
namespace {

struct Format {
    uint32_t fourcc;
    uint32_t opaque;
    uint32_t bytes;
};

constexpr std::array<Format, 14> formats{{
    {DRM_FORMAT_XRGB8888, DRM_FORMAT_XRGB8888, 4},
    {DRM_FORMAT_ARGB8888, DRM_FORMAT_XRGB8888, 4},
    {DRM_FORMAT_XBGR8888, DRM_FORMAT_XBGR8888, 4},
    {DRM_FORMAT_ABGR8888, DRM_FORMAT_XBGR8888, 4},
    {DRM_FORMAT_BGRX8888, DRM_FORMAT_BGRX8888, 4},
    {DRM_FORMAT_BGRA8888, DRM_FORMAT_BGRX8888, 4},
    {DRM_FORMAT_RGBX8888, DRM_FORMAT_RGBX8888, 4},
    {DRM_FORMAT_RGBA8888, DRM_FORMAT_RGBX8888, 4},
    {DRM_FORMAT_XRGB2101010, DRM_FORMAT_XRGB2101010, 4},
    {DRM_FORMAT_ARGB2101010, DRM_FORMAT_XRGB2101010, 4},
    {DRM_FORMAT_XBGR2101010, DRM_FORMAT_XBGR2101010, 4},
    {DRM_FORMAT_ABGR2101010, DRM_FORMAT_XBGR2101010, 4},
    {DRM_FORMAT_RGB565, DRM_FORMAT_RGB565, 2},
    {DRM_FORMAT_RGB888, DRM_FORMAT_RGB888, 3},
}};

const Format *find(uint32_t fourcc)
{
    for (const Format &format : formats) {
        if (format.fourcc == fourcc)
            return &format;
    }
    return nullptr;
}

} // namespace

std::optional<uint32_t> bytes_per_pixel(uint32_t fourcc)
{
    const Format *format = find(fourcc);
    return format ? std::optional(format->bytes) : std::nullopt;
}

uint32_t opaque_twin(uint32_t fourcc)
{
    const Format *format = find(fourcc);
    return format ? format->opaque : fourcc;
}

std::string fourcc_text(uint32_t fourcc)
{
    std::string text;
    for (int shift = 0; shift < 32; shift += 8) {
        const auto c = static_cast<unsigned char>(fourcc >> shift);
        if (!std::isprint(c))
            return fmt::format("{:#010x}", fourcc);
        text.push_back(static_cast<char>(c));
    }
    return text;
}

} // namespace vramlink
