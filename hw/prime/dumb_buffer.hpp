// SPDX-License-Identifier: GPL-2.0-or-later
//
// DumbBuffer: a framebuffer in host memory that the CPU paints, XRGB8888. For the "no signal" frame and for
// senders that have pixels but no dma-buf.
//
// The GEM handle is closed after AddFB2; mapping and framebuffer keep the memory.

#ifndef VRAMLINK_HW_PRIME_DUMB_BUFFER_HPP
#define VRAMLINK_HW_PRIME_DUMB_BUFFER_HPP

#include "hw/prime/dumb_memory.hpp"
#include "hw/prime/prime_importer.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace vramlink {

class DumbBuffer final : public Canvas {
  public:
    /// Sides as in max_frame_side. The pixels are black.
    static Result<std::unique_ptr<DumbBuffer>> create(DrmDevice &device, uint32_t width, uint32_t height);

    [[nodiscard]] uint32_t width() const override { return memory_.width(); }
    [[nodiscard]] uint32_t height() const override { return memory_.height(); }
    [[nodiscard]] std::span<uint32_t> row(uint32_t y) override { return memory_.row(y); }
    [[nodiscard]] FrameRef frame() const override { return shown_; }
    /// The same, as what it is.
    [[nodiscard]] const BufferRef &shown() const { return shown_; }

  private:
    DumbBuffer(DumbMemory memory, BufferRef shown) : memory_(std::move(memory)), shown_(std::move(shown)) {}

    DumbMemory memory_;
    BufferRef shown_;
};

} // namespace vramlink

#endif
