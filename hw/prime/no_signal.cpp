// SPDX-License-Identifier: GPL-2.0-or-later
//
// The neutral frame. Seven glyphs of 5x7 dots are enough for two words; a font library is not.

#include "hw/prime/dot_glyph.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace vramlink {
namespace {

constexpr uint32_t background = 0x00202020;
constexpr uint32_t ink = 0x00a0a0a0;

constexpr std::array<DotGlyph, 8> glyphs{{
    {' ', {0, 0, 0, 0, 0, 0, 0}},
    {'n', {0x00, 0x00, 0x16, 0x19, 0x11, 0x11, 0x11}},
    {'o', {0x00, 0x00, 0x0e, 0x11, 0x11, 0x11, 0x0e}},
    {'s', {0x00, 0x00, 0x0f, 0x10, 0x0e, 0x01, 0x1e}},
    {'i', {0x04, 0x00, 0x0c, 0x04, 0x04, 0x04, 0x0e}},
    {'g', {0x00, 0x0f, 0x11, 0x11, 0x0f, 0x01, 0x0e}},
    {'a', {0x00, 0x00, 0x0e, 0x01, 0x0f, 0x11, 0x0f}},
    {'l', {0x0c, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e}},
}};

const DotGlyph &glyph_of(char letter)
{
    for (const DotGlyph &glyph : glyphs) {
        if (glyph.letter == letter)
            return glyph;
    }
    return glyphs.front();
}

} // namespace

void paint_no_signal(Canvas &canvas)
{
    for (uint32_t y = 0; y < canvas.height(); y++)
        std::ranges::fill(canvas.row(y), background);

    constexpr std::string_view words = "no signal";
    constexpr auto cells = static_cast<uint32_t>(words.size()) * glyph_cell_width;
    const uint32_t scale = std::max(1U, canvas.width() / (cells * 3)); // a third of the screen's width
    const uint32_t width = cells * scale;
    const uint32_t height = glyph_height * scale;
    uint32_t x = canvas.width() > width ? (canvas.width() - width) / 2 : 0;
    const uint32_t y = canvas.height() > height ? (canvas.height() - height) / 2 : 0;
    for (const char letter : words) {
        draw_glyph(canvas, glyph_of(letter), x, y, scale, ink);
        x += glyph_cell_width * scale;
    }
}

} // namespace vramlink
