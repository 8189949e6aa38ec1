// SPDX-License-Identifier: GPL-2.0-or-later
//
// Picture: pixels that a guest paints and that a screendump shows.

#ifndef VRAMLINK_TESTS_DEVICE_PICTURE_HPP
#define VRAMLINK_TESTS_DEVICE_PICTURE_HPP

#include "tests/device/gpu.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace vramlink::test {

struct Picture {
    std::uint32_t width = 0, height = 0;
    std::vector<std::uint32_t> pixels; ///< XRGB8888, X is 0

    [[nodiscard]] std::uint64_t bytes() const { return std::uint64_t{4} * width * height; }
    [[nodiscard]] std::uint32_t pages() const
    {
        return static_cast<std::uint32_t>((bytes() + page - 1) / page);
    }
    /// The part of the picture under @p rect.
    [[nodiscard]] Picture part(Rect rect) const;
};

/// A picture in which every pixel tells its place; different seeds differ everywhere.
[[nodiscard]] Picture paint(std::uint32_t width, std::uint32_t height, std::uint32_t seed);

/// Writes the picture into the memory that the entries describe, starting @p skip bytes into the blob.
void put(Machine &machine, const std::vector<Entry> &entries, const Picture &picture, std::uint64_t skip = 0);

/// A binary PPM; empty, which fails the test, when it is none.
[[nodiscard]] Picture read_ppm(const std::string &path);

/// What QEMU shows on output @p head of the device. QEMU pads rows of a PPM to 4 bytes, which the format does
/// not know: use widths that are multiples of 4. Empty when the screendump failed (which fails the test).
[[nodiscard]] Picture screendump(Machine &machine, unsigned head = 0);

/// "" when equal, otherwise how many pixels differ and the first that does.
[[nodiscard]] std::string difference(const Picture &expected, const Picture &seen);

} // namespace vramlink::test

#endif
