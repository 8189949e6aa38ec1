// SPDX-License-Identifier: GPL-2.0-or-later
//
// AtomicPipe: a KmsPipe of atomic commits. See kms_pipe.hpp.

#ifndef VRAMLINK_HW_PRIME_ATOMIC_PIPE_HPP
#define VRAMLINK_HW_PRIME_ATOMIC_PIPE_HPP

#include "hw/prime/legacy_pipe.hpp"

#include <map>
#include <memory>
#include <string>

namespace vramlink {

class AtomicPipe final : public KmsPipe {
  public:
    /// EOPNOTSUPP: the driver is not atomic, or @p crtc has no primary plane of its own.
    static Result<std::unique_ptr<AtomicPipe>> open(DrmDevice &device, uint32_t crtc);

    [[nodiscard]] const char *name() const override { return "atomic"; }
    int set_mode(uint32_t connector, uint32_t framebuffer, const drmModeModeInfo &mode) override;
    int flip(uint32_t framebuffer, const Rect &damage, uint64_t cookie) override;

  private:
    using Properties = std::map<std::string, uint32_t>;
    AtomicPipe(DrmDevice &device, uint32_t crtc) : device_(device), crtc_(crtc), legacy_(device, crtc) {}
    [[nodiscard]] Properties properties_of(uint32_t object) const;
    int commit_mode(uint32_t connector, uint32_t framebuffer, const drmModeModeInfo &mode);

    DrmDevice &device_;
    uint32_t crtc_, plane_ = 0;
    Properties of_crtc_, of_plane_;
    uint32_t connector_ = 0; ///< whom we have set a mode for; 0: nobody
    LegacyPipe legacy_;      ///< asked when the commit of a mode is refused
};

} // namespace vramlink

#endif
