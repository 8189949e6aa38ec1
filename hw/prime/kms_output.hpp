// SPDX-License-Identifier: GPL-2.0-or-later
//
// KmsOutput: one connected screen of a DRM device, showing one framebuffer.
//
// Legacy mode setting calls, which every KMS driver takes: SetCrtc for the first frame and for a change of
// mode or format, page flips with an event otherwise. What the CRTC showed before is restored on destruction.
//
// "Neutral" is a dark grey frame with the words "no signal", painted when the output opens, so that going
// neutral needs no memory at the moment when it is wanted.
//
// Thread: one at a time; the owner polls device().fd() for POLLIN and calls read_events().

#ifndef VRAMLINK_HW_PRIME_KMS_OUTPUT_HPP
#define VRAMLINK_HW_PRIME_KMS_OUTPUT_HPP

#include "hw/prime/dumb_buffer.hpp"
#include "hw/prime/mode_choice.hpp"
#include "hw/prime/prime_importer.hpp"

#include <memory>
#include <string>
#include <vector>

namespace vramlink {

class KmsOutput {
  public:
    /// Chooses the screen and shows the neutral frame. @p device must outlive the output.
    static Result<std::unique_ptr<KmsOutput>> open(DrmDevice &device);
    KmsOutput(const KmsOutput &) = delete;
    KmsOutput &operator=(const KmsOutput &) = delete;
    /// Restores what was shown before; turns the CRTC off when that is gone.
    ~KmsOutput();

    enum class Shown {
        now,    ///< the frame is on the screen
        pending ///< it will be when read_events() returns true
    };
    /// Shows @p buffer, which must stay alive while it is on the screen or pending. The error carries the
    /// kernel's errno; the screen then shows what it showed before.
    Result<Shown> show(const ShownBuffer &buffer);

    /// Shows the neutral frame and returns when it is on the screen; a pending flip is forgotten. After
    /// success no earlier buffer is in use by the hardware.
    Result<void> show_neutral();

    /// To be called when the device's fd is readable. True when the pending flip has ended.
    Result<bool> read_events();
    /// Gives up on the pending flip; its event is ignored if it comes after all.
    void abandon_flip() { pending_cookie_ = 0; }

    [[nodiscard]] DrmDevice &device() const { return device_; }
    [[nodiscard]] const drmModeModeInfo &mode() const { return mode_; }

    struct Screen {
        uint32_t width, height;       ///< pixels of the mode that the screen prefers
        uint32_t width_mm, height_mm; ///< 0: not known
    };
    [[nodiscard]] Screen screen() const;
    [[nodiscard]] std::string describe() const;

  private:
    KmsOutput(DrmDevice &device, ConnectorInfo connector, uint32_t crtc);
    Result<void> set(uint32_t framebuffer, const drmModeModeInfo &mode);
    Result<void> prepare_neutral(const drmModeModeInfo &mode);

    DrmDevice &device_;
    ConnectorInfo connector_;
    uint32_t crtc_;
    CrtcState before_;       ///< restored at the end
    drmModeModeInfo mode_{}; ///< now
    uint32_t fourcc_ = 0;    ///< of the framebuffer on the screen; 0: none of ours
    std::unique_ptr<DumbBuffer> neutral_;
    uint64_t last_cookie_ = 0;
    uint64_t pending_cookie_ = 0;   ///< 0: no flip is pending
    std::vector<uint64_t> flipped_; ///< kept for its capacity
};

} // namespace vramlink

#endif
