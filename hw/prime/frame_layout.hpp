// SPDX-License-Identifier: GPL-2.0-or-later
//
// FrameLayout: how pixels lie in a dma-buf, as its sender says, and the one place where that is checked.
//
// The numbers come from a guest by way of the VMM and are hostile until check_layout() has passed.

#ifndef VRAMLINK_HW_PRIME_FRAME_LAYOUT_HPP
#define VRAMLINK_HW_PRIME_FRAME_LAYOUT_HPP

#include "vramlink/error.hpp"

#include <cstdint>

namespace vramlink {

/// No screen is larger; the kernel's own limit (mode_config.max_width) is at most this for every driver in
/// use.
inline constexpr uint32_t max_frame_side = 16384;

struct FrameLayout {
    uint32_t width = 0;    ///< pixels
    uint32_t height = 0;   ///< pixels
    uint32_t stride = 0;   ///< bytes from row to row
    uint32_t offset = 0;   ///< bytes before the first pixel
    uint32_t fourcc = 0;   ///< DRM_FORMAT_*
    uint64_t modifier = 0; ///< DRM_FORMAT_MOD_*; DRM_FORMAT_MOD_INVALID: not said

    bool operator==(const FrameLayout &) const = default;
};

/// EINVAL with value and limit when a side is 0 or over max_frame_side, the format unknown, the stride
/// shorter than a row, or (for linear layouts) the last row ends past @p size bytes. For a tiled layout only
/// the driver knows what lies where: then stride and end are its business, and it checks them in AddFB2.
Result<void> check_layout(const FrameLayout &layout, uint64_t size);

} // namespace vramlink

#endif
