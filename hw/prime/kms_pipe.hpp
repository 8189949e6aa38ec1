// SPDX-License-Identifier: GPL-2.0-or-later
//
// KmsPipe: how one CRTC is told what to show.
//
// An atomic driver whose CRTCs have a primary plane of their own gets atomic commits: of connector, CRTC and
// primary plane for a mode, of the plane alone for a flip, with what has changed in it where the driver
// listens (FB_DAMAGE_CLIPS). Whatever it refuses, and any other driver, gets the legacy calls (SetCrtc,
// PageFlip), which every KMS driver takes.
//
// Conventions of DrmApi. Borrows the device.

#ifndef VRAMLINK_HW_PRIME_KMS_PIPE_HPP
#define VRAMLINK_HW_PRIME_KMS_PIPE_HPP

#include "hw/prime/drm_device.hpp"
#include "hw/prime/rect.hpp"

#include <cstdint>
#include <memory>

namespace vramlink {

class KmsPipe {
  public:
    static std::unique_ptr<KmsPipe> make(DrmDevice &device, uint32_t crtc);
    KmsPipe() = default;
    KmsPipe(const KmsPipe &) = delete;
    KmsPipe &operator=(const KmsPipe &) = delete;
    virtual ~KmsPipe() = default;

    [[nodiscard]] virtual const char *name() const = 0; ///< "atomic" or "legacy"
    /// Returns when @p framebuffer is on the screen.
    virtual int set_mode(uint32_t connector, uint32_t framebuffer, const drmModeModeInfo &mode) = 0;
    /// In the mode that is set, and with a framebuffer of the same format. The device's event carries
    /// @p cookie. @p damage: since the last frame, which was this framebuffer;
    /// empty: everything.
    virtual int flip(uint32_t framebuffer, const Rect &damage, uint64_t cookie) = 0;
};

} // namespace vramlink

#endif
