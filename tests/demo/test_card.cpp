// SPDX-License-Identifier: GPL-2.0-or-later
#include "test_card.hpp"

#include "glyphs.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

namespace vramlink::demo {

namespace {

constexpr std::uint32_t kRunPixels = 16; // 64 bytes: finer than any page, so that every page carries 64 runs
constexpr std::uint32_t kNoiseBits = 0x00070707;
constexpr std::uint32_t kTitleColour = 0x00f0f4f8;
constexpr std::uint32_t kNumberColour = 0x00ffd060;
constexpr std::uint32_t kDetailColour = 0x00a8c0d8;

std::uint32_t mix(std::uint32_t value)
{
    value ^= value >> 15;
    value *= 0x2c1b3c6dU;
    value ^= value >> 12;
    value *= 0x297a2d39U;
    return value ^ (value >> 15);
}

std::uint32_t key_of(std::uint64_t seed, std::uint32_t salt)
{
    const auto low = static_cast<std::uint32_t>(seed);
    const auto high = static_cast<std::uint32_t>(seed >> 32);
    return mix(low ^ mix(high + 0x9e3779b9U) ^ mix(salt * 0x85ebca6bU + 1));
}

/// A wave without floating point: period 256, from 0 up to @p peak and back, flat at both ends.
std::uint32_t wave(std::uint32_t phase, std::uint32_t peak)
{
    const std::uint32_t t = phase & 255U;
    const std::uint32_t ramp = t < 128 ? t : 256 - t;                  // 0..128
    const std::uint32_t smooth = ramp * ramp * (384 - 2 * ramp) >> 14; // 0..128
    return smooth * peak >> 7;
}

std::uint32_t rgb(std::uint32_t red, std::uint32_t green, std::uint32_t blue)
{
    return red << 16 | green << 8 | blue;
}

/// The mean of two colours, all three channels at once.
std::uint32_t blend(std::uint32_t a, std::uint32_t b)
{
    return (a >> 1 & 0x007f7f7fU) + (b >> 1 & 0x007f7f7fU);
}

/// Clips [begin, end) to the row and hands each pixel to @p change.
template <class Change>
void span_of(std::span<std::uint32_t> row, std::int32_t begin, std::int32_t end, Change change)
{
    const auto last = std::min(end, static_cast<std::int32_t>(row.size()));
    for (std::int32_t x = std::max(begin, 0); x < last; ++x)
        row[static_cast<std::size_t>(x)] = change(row[static_cast<std::size_t>(x)]);
}

void paint_text(std::string_view text, std::int32_t x, std::int32_t dot_row, std::int32_t scale,
                std::uint32_t colour, std::span<std::uint32_t> row)
{
    for (const char letter : text) {
        const std::uint8_t bits = glyph(letter)[static_cast<std::size_t>(dot_row)];
        for (std::int32_t dot = 0; dot < kGlyphWidth; ++dot) {
            if ((bits >> (kGlyphWidth - 1 - dot) & 1) != 0)
                span_of(row, x + dot * scale, x + (dot + 1) * scale, [&](std::uint32_t) { return colour; });
        }
        x += (kGlyphWidth + 1) * scale;
    }
}

std::int32_t text_width(std::string_view text, std::int32_t scale)
{
    return static_cast<std::int32_t>(text.size()) * (kGlyphWidth + 1) * scale - scale;
}

} // namespace

TestCard::TestCard(const CardSpec &spec)
    : spec_(spec), noise_key_(key_of(spec.seed, spec.frame)), columns_(spec.width), discs_(), lines_()
{
    const std::uint32_t hue = key_of(spec.seed, 0);
    for (std::uint32_t x = 0; x < spec.width; ++x) {
        const std::uint32_t phase = x * 256 / spec.width;
        columns_[x] = rgb(wave(phase + spec.frame * 3 + hue, 88), wave(phase - spec.frame * 2 + hue * 3, 40),
                          16 + wave(phase + spec.frame * 4 + hue * 5, 96));
    }

    static constexpr std::array<std::uint32_t, 6> kColours{0x00e85d4a, 0x00f2b134, 0x0047b39d,
                                                           0x004a90d9, 0x008e5fd6, 0x00e06aa8};
    for (std::uint32_t i = 0; i < discs_.size(); ++i) {
        const std::uint32_t key = key_of(spec.seed, 1000 + i);
        discs_[i] = {
            .x = static_cast<std::int32_t>(wave(key + spec.frame * (2 + i), spec.width)),
            .y = static_cast<std::int32_t>(wave((key >> 8) + spec.frame * (3 + (i * 2) % 5), spec.height)),
            .radius = static_cast<std::int32_t>(spec.height / 24 + spec.height * (i + 1) / 40),
            .colour = kColours[i]};
    }

    const auto scale = std::max(1, static_cast<std::int32_t>(std::min(spec.width / 128, spec.height / 72)));
    const auto left = scale * 6;
    const auto top = static_cast<std::int32_t>(spec.height) - scale * 36;
    lines_ = {TextLine{"vramlink", left, top, scale, kTitleColour},
              TextLine{fmt::format("{:04}", spec.frame), left, top + scale * 9, scale * 2, kNumberColour},
              TextLine{fmt::format("seed {}  {}x{}", spec.seed, spec.width, spec.height), left,
                       top + scale * 25, std::max(1, scale / 2), kDetailColour}};
    panel_left_ = scale * 3;
    panel_top_ = top - scale * 3;
    panel_bottom_ = top + scale * 32;
    panel_right_ = left;
    for (const TextLine &line : lines_)
        panel_right_ = std::max(panel_right_, left + text_width(line.text, line.scale) + scale * 3);
}

void TestCard::paint_row(std::uint32_t y, std::span<std::uint32_t> row) const
{
    row = row.first(spec_.width);
    paint_background(y, row);
    paint_discs(static_cast<std::int32_t>(y), row);
    paint_panel(static_cast<std::int32_t>(y), row);
    add_noise(y, row);
}

void TestCard::paint_background(std::uint32_t y, std::span<std::uint32_t> row) const
{
    const std::uint32_t phase = y * 256 / spec_.height;
    const std::uint32_t share =
        rgb(wave(phase + spec_.frame * 2, 64), 16 + wave(phase + 64 + spec_.frame * 5, 104),
            wave(phase - spec_.frame * 3, 80));
    for (std::size_t x = 0; x < row.size(); ++x)
        row[x] = columns_[x] + share; // at most 152, 160 and 192: no channel overflows
}

void TestCard::paint_discs(std::int32_t y, std::span<std::uint32_t> row) const
{
    for (const Disc &disc : discs_) {
        const std::int32_t dy = y - disc.y;
        const std::int32_t rest = disc.radius * disc.radius - dy * dy;
        if (rest < 0)
            continue;
        const auto half = static_cast<std::int32_t>(std::sqrt(static_cast<double>(rest)));
        span_of(row, disc.x - half, disc.x + half + 1,
                [&](std::uint32_t under) { return blend(under, disc.colour); });
    }
}

void TestCard::paint_panel(std::int32_t y, std::span<std::uint32_t> row) const
{
    if (y < panel_top_ || y >= panel_bottom_)
        return;
    span_of(row, panel_left_, panel_right_, [](std::uint32_t under) { return under >> 2 & 0x003f3f3fU; });
    for (const TextLine &line : lines_) {
        const std::int32_t down = y - line.y;
        if (down >= 0 && down < kGlyphHeight * line.scale)
            paint_text(line.text, line.x, down / line.scale, line.scale, line.colour, row);
    }
}

void TestCard::add_noise(std::uint32_t y, std::span<std::uint32_t> row) const
{
    // Runs are counted along memory, not along rows, so that they never straddle a page (rows have no
    // padding).
    std::uint64_t position = static_cast<std::uint64_t>(y) * spec_.width;
    std::size_t x = 0;
    while (x < row.size()) {
        const auto run = static_cast<std::uint32_t>(position / kRunPixels);
        const std::uint32_t noise = mix(noise_key_ ^ run * 0x9e3779b1U) & kNoiseBits;
        const std::size_t end = std::min<std::size_t>(row.size(), x + kRunPixels - position % kRunPixels);
        position += end - x;
        for (; x < end; ++x)
            row[x] ^= noise;
    }
}

} // namespace vramlink::demo
