// SPDX-License-Identifier: GPL-2.0-or-later
//
// Just enough letters to caption the test card: digits and the lower-case letters of its few words.

#ifndef VRAMLINK_TESTS_DEMO_GLYPHS_HPP
#define VRAMLINK_TESTS_DEMO_GLYPHS_HPP

#include <array>
#include <cstdint>

namespace vramlink::demo {

inline constexpr int kGlyphWidth = 5;
inline constexpr int kGlyphHeight = 7;

/// Seven rows from the top; bit 4 is the leftmost dot.
using Glyph = std::array<std::uint8_t, kGlyphHeight>;

/// The letter's dots; a blank for letters that the card does not use.
[[nodiscard]] const Glyph &glyph(char letter);

} // namespace vramlink::demo

#endif
