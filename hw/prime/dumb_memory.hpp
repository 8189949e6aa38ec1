// SPDX-License-Identifier: GPL-2.0-or-later
//
// DumbMemory: pixels in host memory that a DRM device can show and the CPU paints; 32 bits each.
//
// Thread: one at a time. Borrows the device.

#ifndef VRAMLINK_HW_PRIME_DUMB_MEMORY_HPP
#define VRAMLINK_HW_PRIME_DUMB_MEMORY_HPP

#include "hw/prime/drm_device.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vramlink {

class DumbMemory {
  public:
    /// Sides as in max_frame_side. Every byte is 0.
    static Result<DumbMemory> create(DrmDevice &device, uint32_t width, uint32_t height);
    DumbMemory(DumbMemory &&other) noexcept;
    DumbMemory &operator=(DumbMemory &&) = delete;
    DumbMemory(const DumbMemory &) = delete;
    DumbMemory &operator=(const DumbMemory &) = delete;
    ~DumbMemory();

    [[nodiscard]] uint32_t width() const { return width_; }
    [[nodiscard]] uint32_t height() const { return height_; }
    [[nodiscard]] uint32_t pitch() const { return pitch_; } ///< bytes
    [[nodiscard]] std::span<uint32_t> row(uint32_t y);

    /// 0 after close_handle().
    [[nodiscard]] uint32_t handle() const { return handle_.get(); }
    /// The mapping, and framebuffers made of the handle, keep the memory.
    void close_handle() { handle_.reset(); }

  private:
    DumbMemory(DrmDevice &device, uint32_t width, uint32_t height, const DumbAllocation &dumb)
        : device_(device), width_(width), height_(height), pitch_(dumb.pitch), handle_(device, dumb.handle)
    {
    }

    DrmDevice &device_;
    uint32_t width_, height_, pitch_;
    UniqueGemHandle handle_;
    size_t size_ = 0;
    void *address_ = nullptr; ///< null: not mapped
};

} // namespace vramlink

#endif
