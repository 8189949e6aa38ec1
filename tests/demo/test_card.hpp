// SPDX-License-Identifier: GPL-2.0-or-later
//
// TestCard: the picture that the guest paints and the host expects, as a pure function.
//
// Every pixel follows from (seed, frame, width, height) alone, so painter and checker share no data but these
// four numbers. The card is made to be looked at (gradients, moving discs, a title, a large frame number) and
// to betray every mistake on the way: the low three bits of each channel carry noise that changes with every
// run of 16 pixels (64 bytes), so a page that is stale, swapped, shifted or torn differs in nearly every run.
//
// Cheap on purpose, as the painter runs two emulations deep: integers only, a few operations per pixel.
// Units: pixels; a pixel is XRGB8888 in a uint32_t of the host's byte order, X is 0.
// Thread: a TestCard does not change after its construction; any number of threads may read it.

#ifndef VRAMLINK_TESTS_DEMO_TEST_CARD_HPP
#define VRAMLINK_TESTS_DEMO_TEST_CARD_HPP

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vramlink::demo {

struct CardSpec {
    std::uint64_t seed = 1;
    std::uint32_t frame = 1;
    std::uint32_t width = 0;  ///< 16 .. 16384
    std::uint32_t height = 0; ///< 16 .. 16384
};

class TestCard {
  public:
    explicit TestCard(const CardSpec &spec);

    /// Writes row @p y (below spec.height) into @p row, which holds at least spec.width pixels.
    void paint_row(std::uint32_t y, std::span<std::uint32_t> row) const;

    [[nodiscard]] const CardSpec &spec() const noexcept { return spec_; }

  private:
    struct Disc {
        std::int32_t x, y, radius;
        std::uint32_t colour;
    };
    struct TextLine {
        std::string text;
        std::int32_t x, y, scale; ///< top left corner; pixels per font dot
        std::uint32_t colour;
    };

    void paint_background(std::uint32_t y, std::span<std::uint32_t> row) const;
    void paint_discs(std::int32_t y, std::span<std::uint32_t> row) const;
    void paint_panel(std::int32_t y, std::span<std::uint32_t> row) const;
    void add_noise(std::uint32_t y, std::span<std::uint32_t> row) const;

    CardSpec spec_;
    std::uint32_t noise_key_;
    std::vector<std::uint32_t> columns_; ///< the gradient's share of each column
    std::array<Disc, 6> discs_;
    std::array<TextLine, 3> lines_;
    std::int32_t panel_left_, panel_right_, panel_top_, panel_bottom_;
};

} // namespace vramlink::demo

#endif
