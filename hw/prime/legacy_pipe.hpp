// SPDX-License-Identifier: GPL-2.0-or-later
//
// LegacyPipe: a KmsPipe of SetCrtc and PageFlip. See kms_pipe.hpp.

#ifndef VRAMLINK_HW_PRIME_LEGACY_PIPE_HPP
#define VRAMLINK_HW_PRIME_LEGACY_PIPE_HPP

#include "hw/prime/kms_pipe.hpp"

namespace vramlink {

class LegacyPipe final : public KmsPipe {
  public:
    LegacyPipe(DrmDevice &device, uint32_t crtc) : device_(device), crtc_(crtc) {}

    [[nodiscard]] const char *name() const override { return "legacy"; }
    int set_mode(uint32_t connector, uint32_t framebuffer, const drmModeModeInfo &mode) override
    {
        CrtcState state;
        state.framebuffer = framebuffer;
        state.mode_valid = true;
        state.mode = mode;
        return device_.api().set_crtc(device_.fd(), crtc_, connector, state);
    }
    int flip(uint32_t framebuffer, const Rect &, uint64_t cookie) override
    {
        return device_.api().page_flip(device_.fd(), crtc_, framebuffer, cookie);
    }

  private:
    DrmDevice &device_;
    uint32_t crtc_;
};

} // namespace vramlink

#endif
