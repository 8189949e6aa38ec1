// SPDX-License-Identifier: GPL-2.0-or-later
//
// Showable: a frame that some screen can show, whatever the screen is made of (a KMS framebuffer, a
// compositor's wl_buffer). Canvas: one whose pixels the CPU paints.
//
// Ownership: whoever holds a FrameRef keeps the frame; the last one lets go of the memory behind it. Thread:
// one at a time.

#ifndef VRAMLINK_HW_PRIME_SHOWABLE_HPP
#define VRAMLINK_HW_PRIME_SHOWABLE_HPP

#include <cstdint>
#include <memory>
#include <span>

namespace vramlink {

class Showable {
  public:
    Showable() = default;
    Showable(const Showable &) = delete;
    Showable &operator=(const Showable &) = delete;
    virtual ~Showable() = default;
};
using FrameRef = std::shared_ptr<const Showable>;

/// Pixels in host memory, XRGB8888.
class Canvas {
  public:
    Canvas() = default;
    Canvas(const Canvas &) = delete;
    Canvas &operator=(const Canvas &) = delete;
    virtual ~Canvas() = default;

    [[nodiscard]] virtual uint32_t width() const = 0;  ///< pixels
    [[nodiscard]] virtual uint32_t height() const = 0; ///< pixels
    /// Row @p y, width() pixels of 0x00RRGGBB. y < height().
    [[nodiscard]] virtual std::span<uint32_t> row(uint32_t y) = 0;
    /// To show it. Holding this after the Canvas is gone is fine.
    [[nodiscard]] virtual FrameRef frame() const = 0;
};

/// Dark grey with the words "no signal" in the middle.
void paint_no_signal(Canvas &canvas);

} // namespace vramlink

#endif
