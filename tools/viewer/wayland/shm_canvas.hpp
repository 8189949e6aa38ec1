// SPDX-License-Identifier: GPL-2.0-or-later
//
// ShmCanvas: pixels that the CPU paints and the compositor reads (wl_shm, XRGB8888 in a sealed memfd).

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_SHM_CANVAS_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_SHM_CANVAS_HPP

#include "tools/viewer/wayland/wayland_buffer.hpp"
#include "vramlink/error.hpp"

namespace vramlink {

class ShmCanvas final : public Canvas {
  public:
    /// Black. Sides from 1 to max_frame_side, else EINVAL; or the errno of memfd_create, ftruncate, mmap.
    static Result<std::unique_ptr<ShmCanvas>> create(wl_shm *shm, uint32_t width, uint32_t height);
    ~ShmCanvas() override;

    [[nodiscard]] uint32_t width() const override { return width_; }
    [[nodiscard]] uint32_t height() const override { return height_; }
    [[nodiscard]] std::span<uint32_t> row(uint32_t y) override
    {
        return {pixels_ + size_t{y} * width_, width_};
    }
    [[nodiscard]] FrameRef frame() const override { return frame_; }
    [[nodiscard]] const std::shared_ptr<const WaylandBuffer> &buffer() const { return frame_; }

  private:
    ShmCanvas(uint32_t width, uint32_t height) : width_(width), height_(height) {}

    uint32_t width_, height_;
    uint32_t *pixels_ = nullptr;
    std::shared_ptr<const WaylandBuffer> frame_;
};

} // namespace vramlink

#endif
