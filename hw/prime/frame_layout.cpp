// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/frame_layout.hpp"

#include "hw/prime/fourcc.hpp"

#include <drm_fourcc.h>
#include <fmt/format.h>

#include <cerrno>

namespace vramlink {

Result<void> check_layout(const FrameLayout &layout, uint64_t size)
{
    if (layout.width == 0 || layout.height == 0 || layout.width > max_frame_side ||
        layout.height > max_frame_side)
        return fail(EINVAL, fmt::format("a frame of {}x{} pixels: each side must be 1 to {}", layout.width,
                                        layout.height, max_frame_side));
    const auto pixel = bytes_per_pixel(layout.fourcc);
    if (!pixel)
        return fail(EINVAL, fmt::format("pixel format {} is not supported", fourcc_text(layout.fourcc)));
    if (size == 0)
        return fail(EINVAL, "the dma-buf has size 0");
    if (layout.modifier != DRM_FORMAT_MOD_LINEAR && layout.modifier != DRM_FORMAT_MOD_INVALID)
        return {};

    const uint64_t row = uint64_t{layout.width} * *pixel;
    if (layout.stride < row)
        return fail(EINVAL, fmt::format("stride {} is shorter than a row of {} pixels ({} bytes)",
                                        layout.stride, layout.width, row));
    // At most 2^32 * 2^14 + 2 * 2^32: far from wrapping.
    const uint64_t end = uint64_t{layout.offset} + uint64_t{layout.stride} * (layout.height - 1) + row;
    if (end > size)
        return fail(EINVAL, fmt::format("the frame ends at byte {}, the dma-buf at {}", end, size));
    return {};
}

} // namespace vramlink
