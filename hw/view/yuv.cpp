// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/view/yuv.hpp"

#include <dlfcn.h>
#include <drm_fourcc.h>
#include <fmt/format.h>
#include <libyuv/convert_argb.h>

#include <cerrno>
#include <utility>

namespace vramlink {
namespace {

constexpr const char *library = "libyuv.so.0";

} // namespace

Result<YuvConverter> YuvConverter::load()
{
    YuvConverter converter;
    void *loaded = ::dlopen(library, RTLD_NOW | RTLD_LOCAL); // never unloaded
    if (loaded == nullptr)
        return fail(ENOENT, fmt::format("{} converts YUV and cannot be loaded (Debian: package libyuv0): {}",
                                        library, ::dlerror()));
    converter.nv12_ = ::dlsym(loaded, "NV12ToARGBMatrix");
    converter.p010_ = ::dlsym(loaded, "P010ToARGBMatrix");
    converter.colours_ = ::dlsym(loaded, "kYuvI601Constants");
    if (converter.nv12_ == nullptr || converter.p010_ == nullptr || converter.colours_ == nullptr)
        return fail(ENOSYS,
                    fmt::format("{} is too old: it has no NV12ToARGBMatrix or P010ToARGBMatrix", library));
    return converter;
}

Result<const YuvConverter *> YuvConverter::get()
{
    static const Result<YuvConverter> converter = load();
    if (!converter)
        return std::unexpected(converter.error());
    return &*converter;
}

bool YuvConverter::convert(uint32_t fourcc, const YuvPlanes &from, uint32_t width, uint32_t height, void *to,
                           uint32_t to_stride) const noexcept
{
    const auto *colours = static_cast<const libyuv::YuvConstants *>(colours_);
    auto *argb = static_cast<uint8_t *>(to);
    const auto [w, h] = std::pair(static_cast<int>(width), static_cast<int>(height));
    const auto stride = static_cast<int>(to_stride);
    if (fourcc == DRM_FORMAT_NV12) {
        const auto call = reinterpret_cast<decltype(&libyuv::NV12ToARGBMatrix)>(nv12_);
        return call(reinterpret_cast<const uint8_t *>(from.luma), static_cast<int>(from.luma_stride),
                    reinterpret_cast<const uint8_t *>(from.chroma), static_cast<int>(from.chroma_stride),
                    argb, stride, colours, w, h) == 0;
    }
    if (fourcc != DRM_FORMAT_P010)
        return false;
    constexpr uint32_t bytes = sizeof(uint16_t); // libyuv counts strides in samples
    const auto call = reinterpret_cast<decltype(&libyuv::P010ToARGBMatrix)>(p010_);
    return call(reinterpret_cast<const uint16_t *>(from.luma), static_cast<int>(from.luma_stride / bytes),
                reinterpret_cast<const uint16_t *>(from.chroma), static_cast<int>(from.chroma_stride / bytes),
                argb, stride, colours, w, h) == 0;
}

} // namespace vramlink
