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

class DumbBuffer final : public Canvas {
  public:
    /// Sides as in max_frame_side. The pixels are black.
    static Result<std::unique_ptr<DumbBuffer>> create(DrmDevice &device, uint32_t width, uint32_t height);
    DumbBuffer(const DumbBuffer &) = delete;
    DumbBuffer &operator=(const DumbBuffer &) = delete;
    ~DumbBuffer() override;

    [[nodiscard]] uint32_t width() const override { return width_; }
    [[nodiscard]] uint32_t height() const override { return height_; }
    [[nodiscard]] std::span<uint32_t> row(uint32_t y) override;
    [[nodiscard]] FrameRef frame() const override { return shown_; }
    /// The same, as what it is.
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

} // namespace vramlink

#endif
