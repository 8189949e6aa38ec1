// SPDX-License-Identifier: GPL-2.0-or-later
//
// A font of 5x7 dots for the overlay: digits, capitals (small letters are drawn as such) and the signs that
// its sentences use. A font library would want fonts to be installed.

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_FONT_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_FONT_HPP

#include "hw/prime/dot_glyph.hpp"

#include <cstdint>
#include <string_view>

namespace vramlink {

inline constexpr uint32_t font_cell_width = glyph_cell_width,
                          font_cell_height = 10; ///< dots, with the gap to the next

/// Draws @p text at (x, y), a dot being @p scale pixels wide and high. What has no glyph is drawn as a box;
/// what reaches over the edge is cut.
void draw_text(Canvas &canvas, uint32_t x, uint32_t y, uint32_t scale, std::string_view text,
               uint32_t colour);

} // namespace vramlink

#endif
