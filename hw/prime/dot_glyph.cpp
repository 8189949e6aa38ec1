// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/dot_glyph.hpp"

#include <algorithm>

namespace vramlink {
namespace {

void dot(Canvas &canvas, uint32_t x, uint32_t y, uint32_t side, uint32_t colour)
{
    const uint32_t right = std::min(x + side, canvas.width()), bottom = std::min(y + side, canvas.height());
    for (uint32_t row = y; row < bottom; row++) {
        const auto pixels = canvas.row(row);
        for (uint32_t column = x; column < right; column++)
            pixels[column] = colour;
    }
}

} // namespace

void draw_glyph(Canvas &canvas, const DotGlyph &glyph, uint32_t x, uint32_t y, uint32_t scale,
                uint32_t colour)
{
    for (uint32_t row = 0; row < glyph_height; row++) {
        for (uint32_t column = 0; column < glyph_width; column++) {
            if (glyph.rows.at(row) & (0x10U >> column))
                dot(canvas, x + column * scale, y + row * scale, scale, colour);
        }
    }
}

} // namespace vramlink
