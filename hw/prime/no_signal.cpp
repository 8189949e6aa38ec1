// SPDX-License-Identifier: GPL-2.0-or-later
//
// The neutral frame. Seven glyphs of 5x7 dots are enough for two words; a font library is not.

#include "hw/prime/showable.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace vramlink {
namespace {

constexpr uint32_t background = 0x00202020;
constexpr uint32_t ink = 0x00a0a0a0;
constexpr uint32_t glyph_width = 5;
constexpr uint32_t glyph_height = 7;
constexpr uint32_t cell_width = glyph_width + 1;

struct Glyph {
    char letter;
    std::array<uint8_t, glyph_height> rows; ///< bit 4 is the leftmost dot
};

constexpr std::array<Glyph, 8> glyphs{{
    {' ', {0, 0, 0, 0, 0, 0, 0}},
    {'n', {0x00, 0x00, 0x16, 0x19, 0x11, 0x11, 0x11}},
    {'o', {0x00, 0x00, 0x0e, 0x11, 0x11, 0x11, 0x0e}},
    {'s', {0x00, 0x00, 0x0f, 0x10, 0x0e, 0x01, 0x1e}},
    {'i', {0x04, 0x00, 0x0c, 0x04, 0x04, 0x04, 0x0e}},
    {'g', {0x00, 0x0f, 0x11, 0x11, 0x0f, 0x01, 0x0e}},
    {'a', {0x00, 0x00, 0x0e, 0x01, 0x0f, 0x11, 0x0f}},
    {'l', {0x0c, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e}},
}};

const Glyph &glyph_of(char letter)
{
    for (const Glyph &glyph : glyphs) {
        if (glyph.letter == letter)
            return glyph;
    }
    return glyphs.front();
}

/// A square of @p side pixels at (x, y), cut at the buffer's edges.
void dot(Canvas &canvas, uint32_t x, uint32_t y, uint32_t side)
{
    for (uint32_t row = y; row < std::min(y + side, canvas.height()); row++) {
        const auto pixels = canvas.row(row);
        for (uint32_t column = x; column < std::min(x + side, canvas.width()); column++)
            pixels[column] = ink;
    }
}

void draw(Canvas &canvas, const Glyph &glyph, uint32_t x, uint32_t y, uint32_t scale)
{
    for (uint32_t row = 0; row < glyph_height; row++) {
        for (uint32_t column = 0; column < glyph_width; column++) {
            if (glyph.rows[row] & (0x10U >> column))
                dot(canvas, x + column * scale, y + row * scale, scale);
        }
    }
}

} // namespace

void paint_no_signal(Canvas &canvas)
{
    for (uint32_t y = 0; y < canvas.height(); y++)
        std::ranges::fill(canvas.row(y), background);

    constexpr std::string_view words = "no signal";
    constexpr auto cells = static_cast<uint32_t>(words.size()) * cell_width;
    const uint32_t scale = std::max(1U, canvas.width() / (cells * 3)); // a third of the screen's width
    const uint32_t width = cells * scale;
    const uint32_t height = glyph_height * scale;
    uint32_t x = canvas.width() > width ? (canvas.width() - width) / 2 : 0;
    const uint32_t y = canvas.height() > height ? (canvas.height() - height) / 2 : 0;
    for (const char letter : words) {
        draw(canvas, glyph_of(letter), x, y, scale);
        x += cell_width * scale;
    }
}

} // namespace vramlink
