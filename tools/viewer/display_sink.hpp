// SPDX-License-Identifier: GPL-2.0-or-later
//
// DisplaySink: what a display client does with what QEMU sends. The pixels have been checked against their
// length; dma-bufs have not (the importer does that, against the buffer's real size).
//
// Thread: every call comes from the default main context. Payload: spans are valid during the call only.

#ifndef VRAMLINK_TOOLS_VIEWER_DISPLAY_SINK_HPP
#define VRAMLINK_TOOLS_VIEWER_DISPLAY_SINK_HPP

#include "hw/prime/cursor_image.hpp"
#include "hw/prime/frame_layout.hpp"
#include "hw/prime/frame_queue.hpp"
#include "hw/prime/rect.hpp"
#include "vramlink/unique_fd.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace vramlink {

/// The pixman formats that QEMU's consoles use (pixman.h, pixman_format_code_t), by value on the wire.
enum class PixelFormat : uint32_t {
    x8r8g8b8 = 0x20020888,
    a8r8g8b8 = 0x20028888,
    x8b8g8r8 = 0x20030888,
    a8b8g8r8 = 0x20038888,
    b8g8r8x8 = 0x20080888,
    b8g8r8a8 = 0x20088888,
    r8g8b8x8 = 0x20090888,
    r8g8b8a8 = 0x20098888,
    r5g6b5 = 0x10020565,
};

/// Pixels in memory. data covers (height - 1) * stride + one row; stride covers a row.
struct Pixels {
    uint32_t width = 0, height = 0, stride = 0;
    PixelFormat format{};
    std::span<const uint8_t> data;
};

struct DmabufFrame {
    UniqueFd fd;
    FrameLayout layout;
    bool bottom_up = false; ///< the first row in memory is the lowest on the screen
    bool still = false;     ///< stands for a buffer that the guest moves (vramlink/still_name.h)
};

/// Where the guest has put the upper left corner of its pointer's image (virtio-gpu's MOVE_CURSOR; QEMU's
/// MouseSet passes it on).
struct CursorPlace {
    int x = 0, y = 0; ///< pixels of the frame; may lie outside
    bool visible = true;
};

class DisplaySink {
  public:
    DisplaySink() = default;
    DisplaySink(const DisplaySink &) = delete;
    DisplaySink &operator=(const DisplaySink &) = delete;
    virtual ~DisplaySink() = default;

    virtual void scanout(const Pixels &frame) = 0;
    /// @p pixels go to (x, y) of the frame of the last scanout(). May lie outside of it: check.
    virtual void update(uint32_t x, uint32_t y, const Pixels &pixels) = 0;
    virtual void scanout_dmabuf(DmabufFrame frame) = 0;
    /// The content is complete. Run @p done when it is visible: the guest waits for it.
    virtual void update_dmabuf(const Rect &damage, Completion done) = 0;
    virtual void cursor(const CursorImage &image) { (void)image; }
    /// The guest has moved, shown or hidden its pointer.
    virtual void cursor_at(const CursorPlace &place) { (void)place; }
    /// Let go of everything before returning: QEMU is answered afterwards.
    virtual void disable() = 0;

    /// The listener is registered: frames will come.
    virtual void connected() = 0;
    /// The connection is gone, or never came about; @p reason is one sentence. Not called by disconnect().
    virtual void disconnected(const std::string &reason) = 0;
};

} // namespace vramlink

#endif
