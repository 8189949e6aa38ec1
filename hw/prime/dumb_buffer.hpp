// SPDX-License-Identifier: GPL-2.0-or-later
//
// DumbBuffer: a framebuffer in host memory that the CPU paints, XRGB8888. For the "no signal" frame and for
// senders that have pixels but no dma-buf.
//
// The GEM handle is closed after AddFB2; mapping and framebuffer keep the memory.

#ifndef VRAMLINK_HW_PRIME_DUMB_BUFFER_HPP
#define VRAMLINK_HW_PRIME_DUMB_BUFFER_HPP

#include "hw/prime/prime_importer.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace vramlink {

class DumbBuffer {
  public:
    /// Sides as in max_frame_side. The pixels are black.
    static Result<std::unique_ptr<DumbBuffer>> create(DrmDevice &device, uint32_t width, uint32_t height);
    DumbBuffer(const DumbBuffer &) = delete;
    DumbBuffer &operator=(const DumbBuffer &) = delete;
    ~DumbBuffer();

    [[nodiscard]] uint32_t width() const { return width_; }
    [[nodiscard]] uint32_t height() const { return height_; }
    /// Row @p y, width() pixels of 0x00RRGGBB. y < height().
    [[nodiscard]] std::span<uint32_t> row(uint32_t y);
    /// To show it. Holding this after the DumbBuffer is gone is fine.
    [[nodiscard]] const BufferRef &shown() const { return shown_; }

  private:
    DumbBuffer(DrmDevice &device, uint32_t width, uint32_t height, size_t pitch)
        : device_(device), width_(width), height_(height), pitch_(pitch)
    {
    }

    DrmDevice &device_;
    uint32_t width_, height_;
    size_t pitch_; ///< bytes
    size_t size_ = 0;
    void *address_ = nullptr;
    BufferRef shown_;
};

/// Dark grey with the words "no signal" in the middle.
void paint_no_signal(DumbBuffer &buffer);

} // namespace vramlink

#endif
