// SPDX-License-Identifier: GPL-2.0-or-later
//
// KmsCursor: the pointer's image beside the frame of one CRTC, so that moving it touches no frame.
//
// Legacy cursor calls (drmModeSetCursor2), which every driver with a cursor plane takes. An image that is
// larger than the plane is made smaller by a whole factor. A refusal is told once, and the pointer is not
// seen then.
//
// Thread: one at a time. Borrows the device.

#ifndef VRAMLINK_HW_PRIME_KMS_CURSOR_HPP
#define VRAMLINK_HW_PRIME_KMS_CURSOR_HPP

#include "hw/prime/cursor_image.hpp"
#include "hw/prime/dumb_memory.hpp"

#include <cstdint>
#include <optional>

namespace vramlink {

class KmsCursor {
  public:
    KmsCursor(DrmDevice &device, uint32_t crtc);
    KmsCursor(const KmsCursor &) = delete;
    KmsCursor &operator=(const KmsCursor &) = delete;
    ~KmsCursor(); ///< hides it

    /// The first refusal of the device is an error; later ones pass in silence.
    Result<void> set_image(const CursorImage &image);
    Result<void> show(bool visible);
    /// Puts the image's upper left corner at this pixel.
    void move(int x, int y);
    /// Puts the hot spot at this pixel.
    void point_at(int x, int y) { move(x - hot_x_, y - hot_y_); }
    /// Another program drives the device: what is asked for is noted only. After wake() it is done.
    void sleep() { asleep_ = true; }
    void wake();

  private:
    void paint(DumbMemory &memory, const CursorImage &image, uint32_t shrink) const;
    Result<void> apply();

    DrmDevice &device_;
    uint32_t crtc_;
    uint32_t width_, height_; ///< the plane's
    std::optional<DumbMemory> memory_;
    int hot_x_ = 0, hot_y_ = 0; ///< in the image as it is shown
    int x_ = 0, y_ = 0;
    bool visible_ = true;
    bool on_ = false; ///< the device shows it
    bool asleep_ = false;
    bool said_ = false; ///< the refusal
};

} // namespace vramlink

#endif
