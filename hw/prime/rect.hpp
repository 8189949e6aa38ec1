// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_HW_PRIME_RECT_HPP
#define VRAMLINK_HW_PRIME_RECT_HPP

#include <cstdint>

namespace vramlink {

/// A part of a frame.
struct Rect {
    uint32_t x = 0, y = 0, width = 0, height = 0; ///< pixels
    [[nodiscard]] bool empty() const { return width == 0 || height == 0; }
};

} // namespace vramlink

#endif
