// SPDX-License-Identifier: GPL-2.0-or-later
//
// Painter: a guest's CPU or GPU that paints while QEMU runs. No display could ever catch memory halfway that
// is written through the qtest protocol; this one writes into a mapping of the guest's RAM (ram.hpp).

#ifndef VRAMLINK_TESTS_DEVICE_PAINTER_HPP
#define VRAMLINK_TESTS_DEVICE_PAINTER_HPP

#include "tests/device/gpu.hpp"
#include "tests/device/ram.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace vramlink::test {

/// A buffer in guest RAM, one entry.
class Canvas {
  public:
    /// @p machine has shared RAM (Machine::Options::shared_ram) and outlives the canvas.
    Canvas(Machine &machine, std::uint32_t width, std::uint32_t height);

    [[nodiscard]] std::uint64_t bytes() const { return std::uint64_t{4} * width_ * height_; }
    [[nodiscard]] std::vector<Entry> entries() const { return linear(gpa_, bytes()); }
    [[nodiscard]] BlobScanout scanout(std::uint32_t id) const;
    [[nodiscard]] Rect whole() const { return {0, 0, width_, height_}; }

    /// All pixels become @p value: the upper half, a pause of @p pause_us, the lower half.
    void fill(std::uint32_t value, unsigned pause_us);
    void fill_upper_half(std::uint32_t value);

  private:
    std::uint32_t width_, height_;
    std::uint64_t gpa_;
    Ram ram_;
    std::span<std::uint32_t> pixels_;
};

} // namespace vramlink::test

#endif
