// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images on disk: binary PPM as QEMU's screendump writes it, PNG as people look at it.

#ifndef VRAMLINK_TESTS_DEMO_IMAGE_IO_HPP
#define VRAMLINK_TESTS_DEMO_IMAGE_IO_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "vramlink/error.hpp"

namespace vramlink::demo {

/// Rows from the top without padding; three bytes a pixel: red, green, blue.
struct Image {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    std::vector<std::uint8_t> rgb;

    /// 0x00RRGGBB; @p x and @p y must lie inside.
    [[nodiscard]] std::uint32_t pixel(std::uint32_t x, std::uint32_t y) const
    {
        const std::uint8_t *at = &rgb[(std::size_t{y} * width + x) * 3];
        return std::uint32_t{at[0]} << 16 | std::uint32_t{at[1]} << 8 | at[2];
    }
};

/// Reads a "P6" file with 8 bits a channel; EINVAL for anything else, with what was found.
[[nodiscard]] Result<Image> read_ppm(const std::string &path);

/// Writes a PNG of 8 bits a channel, replacing what was there.
[[nodiscard]] Result<void> write_png(const Image &image, const std::string &path);

} // namespace vramlink::demo

#endif
