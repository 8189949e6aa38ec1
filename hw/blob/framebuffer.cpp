// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/framebuffer.hpp"

#include "vramlink/checked.hpp"

#include <fmt/format.h>

namespace vramlink {
namespace {

Answer<void> check_rectangle(const FramebufferRequest &request)
{
    const bool inside = fits(request.x, request.rect_width, request.width) &&
                        fits(request.y, request.rect_height, request.height);
    if (request.rect_width != 0 && request.rect_height != 0 && inside)
        return {};
    return refuse(VRL_ERR_INVALID_PARAMETER,
                  fmt::format("a rectangle of {}x{} at {},{} in a framebuffer of {}x{}", request.rect_width,
                              request.rect_height, request.x, request.y, request.width, request.height));
}

/// The largest term, (2^32 - 1)^2, and three smaller than 2^32 fit 64 bits: row <= stride has been checked.
uint64_t end_of(const FramebufferRequest &request, uint64_t row)
{
    return request.plane_offset + static_cast<uint64_t>(request.height - 1) * request.stride + row;
}

} // namespace

Answer<vrl_framebuffer> make_framebuffer(uint64_t blob_size, const FramebufferRequest &request)
{
    if (auto checked = check_rectangle(request); !checked)
        return std::unexpected(std::move(checked.error()));
    const uint64_t row = static_cast<uint64_t>(request.width) * request.bytes_pp;
    if (row == 0 || request.stride < row)
        return refuse(VRL_ERR_INVALID_PARAMETER,
                      fmt::format("a stride of {} bytes for rows of {} pixels of {} bytes", request.stride,
                                  request.width, request.bytes_pp));
    if (const uint64_t end = end_of(request, row); end > blob_size)
        return refuse(VRL_ERR_INVALID_PARAMETER,
                      fmt::format("a framebuffer that ends at byte {} of a blob of {}", end, blob_size));
    return vrl_framebuffer{
        .width = request.rect_width,
        .height = request.rect_height,
        .bytes_pp = request.bytes_pp,
        .stride = request.stride,
        .start = request.plane_offset + static_cast<uint64_t>(request.y) * request.stride +
                 static_cast<uint64_t>(request.x) * request.bytes_pp,
    };
}

std::optional<uint64_t> framebuffer_end(const vrl_framebuffer &fb) noexcept
{
    if (fb.width == 0 || fb.height == 0 || fb.bytes_pp == 0)
        return std::nullopt;
    const auto rows = checked_add(fb.start, static_cast<uint64_t>(fb.height - 1) * fb.stride);
    return rows ? checked_add(*rows, static_cast<uint64_t>(fb.width) * fb.bytes_pp) : std::nullopt;
}

} // namespace vramlink
