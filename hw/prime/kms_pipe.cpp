// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/kms_pipe.hpp"

#include "hw/prime/atomic_pipe.hpp"

#include <utility>

namespace vramlink {
namespace {

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
    int flip(uint32_t framebuffer, const FrameDamage &, uint64_t cookie) override
    {
        return device_.api().page_flip(device_.fd(), crtc_, framebuffer, cookie);
    }

  private:
    DrmDevice &device_;
    uint32_t crtc_;
};

} // namespace

std::unique_ptr<KmsPipe> KmsPipe::make(DrmDevice &device, uint32_t crtc)
{
    auto legacy = std::make_unique<LegacyPipe>(device, crtc);
    auto atomic = AtomicPipe::open(device, crtc);
    if (!atomic)
        return legacy;
    (*atomic)->set_fallback(std::move(legacy));
    return std::move(*atomic);
}

} // namespace vramlink
