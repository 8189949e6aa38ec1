// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/framebuffer.hpp"

#include "vramlink/checked.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace vramlink {
namespace {

/// Samples that stand for @p pixels.
constexpr uint64_t samples(uint32_t pixels, uint8_t each) noexcept
{
    return (uint64_t{pixels} + each - 1) / each;
}

constexpr uint64_t row_bytes(uint32_t width, const vrl_samples &sample) noexcept
{
    return samples(width, sample.across) * sample.bytes;
}

/// As "plane 1 ", or nothing where there is one.
std::string plane_name(const vrl_layout &layout, uint32_t plane)
{
    return layout.nr_planes > 1 ? fmt::format("plane {}: ", plane) : std::string();
}

Answer<void> check_layout(const vrl_layout &layout)
{
    const bool good = layout.nr_planes >= 1 && layout.nr_planes <= VRL_MAX_PLANES &&
                      std::all_of(layout.plane, layout.plane + layout.nr_planes, [](const vrl_samples &s) {
                          return s.bytes != 0 && s.across != 0 && s.down != 0;
                      });
    if (good)
        return {};
    return refuse(VRL_ERR_INVALID_PARAMETER, fmt::format("a layout of {} planes", layout.nr_planes));
}

Answer<void> check_rectangle(const FramebufferRequest &request)
{
    const bool inside = fits(request.x, request.rect_width, request.width) &&
                        fits(request.y, request.rect_height, request.height);
    if (request.rect_width == 0 || request.rect_height == 0 || !inside)
        return refuse(VRL_ERR_INVALID_PARAMETER,
                      fmt::format("a rectangle of {}x{} at {},{} in a framebuffer of {}x{}",
                                  request.rect_width, request.rect_height, request.x, request.y,
                                  request.width, request.height));
    return {};
}

/// What a tiled framebuffer may say.
Answer<void> check_tiled(const FramebufferRequest &request)
{
    const vrl_layout &layout = request.layout;
    if (request.x != 0 || request.y != 0)
        return refuse(
            VRL_ERR_INVALID_PARAMETER,
            fmt::format("a rectangle at {},{} of a framebuffer with the modifier {:#x}; with one it "
                        "starts at 0,0",
                        request.x, request.y, layout.modifier));
    if (layout.nr_planes < VRL_MAX_PLANES && request.stride[layout.nr_planes] != 0)
        return refuse(
            VRL_ERR_INVALID_PARAMETER,
            fmt::format("a stride of {} for plane {} of a format that has {}: layouts with planes of "
                        "metadata are not supported",
                        request.stride[layout.nr_planes], layout.nr_planes, layout.nr_planes));
    return {};
}

/// The start of the rectangle in one plane. (2^32 - 1)^2 and three terms smaller than 2^32 fit 64 bits: a row
/// is no longer than the stride.
Answer<vrl_plane> make_plane(uint64_t blob_size, const FramebufferRequest &request, uint32_t number)
{
    const vrl_samples &sample = request.layout.plane[number];
    const uint32_t stride = request.stride[number];
    const uint64_t row = row_bytes(request.width, sample);
    const std::string name = plane_name(request.layout, number);
    if (row == 0 || stride < row)
        return refuse(VRL_ERR_INVALID_PARAMETER,
                      fmt::format("{}a stride of {} bytes for rows of {} pixels of {} bytes", name, stride,
                                  request.width, sample.bytes));
    if (request.x % sample.across != 0 || request.y % sample.down != 0)
        return refuse(VRL_ERR_INVALID_PARAMETER,
                      fmt::format("{}a rectangle at {},{}, where a sample stands for {}x{} pixels", name,
                                  request.x, request.y, sample.across, sample.down));
    const uint64_t end = request.offset[number] + (samples(request.height, sample.down) - 1) * stride + row;
    if (end > blob_size)
        return refuse(
            VRL_ERR_INVALID_PARAMETER,
            fmt::format("{}a framebuffer that ends at byte {} of a blob of {}", name, end, blob_size));
    const uint64_t down = request.y / sample.down;
    const uint64_t across = request.x / sample.across;
    return vrl_plane{.start = request.offset[number] + down * stride + across * sample.bytes,
                     .stride = stride};
}

} // namespace

Answer<vrl_framebuffer> make_framebuffer(uint64_t blob_size, const FramebufferRequest &request)
{
    if (auto checked = check_layout(request.layout); !checked)
        return std::unexpected(std::move(checked.error()));
    if (auto checked = check_rectangle(request); !checked)
        return std::unexpected(std::move(checked.error()));
    if (!vrl_layout_is_linear(&request.layout)) {
        if (auto checked = check_tiled(request); !checked)
            return std::unexpected(std::move(checked.error()));
    }
    vrl_framebuffer fb{};
    fb.width = request.rect_width;
    fb.height = request.rect_height;
    fb.layout = request.layout;
    fb.bytes_pp = request.layout.plane[0].bytes;
    for (uint32_t i = 0; i < request.layout.nr_planes; ++i) {
        auto plane = make_plane(blob_size, request, i);
        if (!plane)
            return std::unexpected(std::move(plane.error()));
        if (i > 0)
            fb.more[i - 1] = *plane;
        else
            std::tie(fb.start, fb.stride) = std::tie(plane->start, plane->stride);
    }
    return fb;
}

std::optional<uint64_t> framebuffer_end(const vrl_framebuffer &fb) noexcept
{
    if (fb.width == 0 || fb.height == 0 || fb.bytes_pp == 0 || fb.layout.nr_planes > VRL_MAX_PLANES)
        return std::nullopt;
    const auto end_of = [](const vrl_plane &plane, uint64_t rows, uint64_t row) {
        const auto last = checked_add(plane.start, (rows - 1) * plane.stride);
        return last ? checked_add(*last, row) : std::nullopt;
    };
    auto end = end_of({fb.start, fb.stride}, fb.height, uint64_t{fb.width} * fb.bytes_pp);
    for (uint32_t i = 1; i < fb.layout.nr_planes; ++i) {
        const vrl_samples &sample = fb.layout.plane[i];
        if (sample.bytes == 0 || sample.across == 0 || sample.down == 0)
            return std::nullopt;
        const auto other =
            end_of(fb.more[i - 1], samples(fb.height, sample.down), row_bytes(fb.width, sample));
        if (!end || !other)
            return std::nullopt;
        end = std::max(*end, *other);
    }
    return end;
}

std::optional<BlobRange> framebuffer_range(const vrl_framebuffer &fb) noexcept
{
    const auto end = framebuffer_end(fb);
    if (!end)
        return std::nullopt;
    BlobRange range{fb.start, *end};
    for (uint32_t i = 1; i < fb.layout.nr_planes; ++i)
        range.first = std::min(range.first, fb.more[i - 1].start);
    return range;
}

} // namespace vramlink
