// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_HW_PRIME_CURSOR_IMAGE_HPP
#define VRAMLINK_HW_PRIME_CURSOR_IMAGE_HPP

#include <cstdint>
#include <span>

namespace vramlink {

/// The guest's pointer. ARGB with multiplied alpha, rows without gaps; empty: there is none. The span is
/// valid during the call only.
struct CursorImage {
    uint32_t width = 0, height = 0, hot_x = 0, hot_y = 0; ///< pixels
    std::span<const uint8_t> argb;
};

} // namespace vramlink

#endif
