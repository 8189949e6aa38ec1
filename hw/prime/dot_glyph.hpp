// SPDX-License-Identifier: GPL-2.0-or-later
//
// A letter of 5x7 dots: for pictures that are drawn where no font can be counted on.

#ifndef VRAMLINK_HW_PRIME_DOT_GLYPH_HPP
#define VRAMLINK_HW_PRIME_DOT_GLYPH_HPP

#include "hw/prime/showable.hpp"

#include <array>
#include <cstdint>

namespace vramlink {

inline constexpr uint32_t glyph_width = 5, glyph_height = 7;  ///< dots
inline constexpr uint32_t glyph_cell_width = glyph_width + 1; ///< with the gap to the next

struct DotGlyph {
    char letter;
    std::array<uint8_t, glyph_height> rows; ///< bit 4 is the leftmost dot
};

/// At (x, y), a dot being @p scale pixels wide and high; cut at the canvas's edges.
void draw_glyph(Canvas &canvas, const DotGlyph &glyph, uint32_t x, uint32_t y, uint32_t scale,
                uint32_t colour);

} // namespace vramlink

#endif
