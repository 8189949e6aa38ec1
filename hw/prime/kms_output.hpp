// SPDX-License-Identifier: GPL-2.0-or-later
//
// KmsOutput: one connected screen of a DRM device, showing one framebuffer.
//
// A mode is set for the first frame and for a change of mode or format; page flips with an event otherwise
// (see KmsPipe). What the CRTC showed before is restored on destruction.
//
// "Neutral" is a dark grey frame with the words "no signal", painted when the output opens, so that going
// neutral needs no memory at the moment when it is wanted.
//
// Sleep: while another program drives the device (the user has switched to another virtual terminal) nothing
// is asked of the kernel.
//
// Thread: one at a time; the owner, a KmsCard, reads the device's events.

#ifndef VRAMLINK_HW_PRIME_KMS_OUTPUT_HPP
#define VRAMLINK_HW_PRIME_KMS_OUTPUT_HPP

#include "hw/prime/dumb_buffer.hpp"
#include "hw/prime/extent2.hpp"
#include "hw/prime/kms_pipe.hpp"
#include "hw/prime/mode_choice.hpp"
#include "hw/prime/prime_importer.hpp"

#include <memory>
#include <string>

namespace vramlink {

class KmsOutput {
  public:
    /// Shows the neutral frame on @p connector through its current_crtc. @p device must outlive the output.
    static Result<std::unique_ptr<KmsOutput>> open(DrmDevice &device, ConnectorInfo connector);
    KmsOutput(const KmsOutput &) = delete;
    KmsOutput &operator=(const KmsOutput &) = delete;
    /// Restores what was shown before; turns the CRTC off when that is gone.
    ~KmsOutput();

    enum class Shown {
        now,    ///< the frame is on the screen
        pending ///< it will be when flip_ended() returns true
    };
    /// Shows @p buffer, which must stay alive while it is on the screen or pending. @p damage: what has
    /// changed since it was shown last. The error carries the kernel's errno; the screen then shows what it
    /// showed before.
    Result<Shown> show(const ShownBuffer &buffer, const Rect &damage = {});

    /// Shows the neutral frame and returns when it is on the screen; a pending flip is forgotten. After
    /// success no earlier buffer is in use by the hardware.
    Result<void> show_neutral();

    /// An event of the device says that the flip @p cookie has ended. True when it was the pending one.
    bool flip_ended(uint64_t cookie);
    /// Gives up on the pending flip; its event is ignored if it comes after all.
    void abandon_flip() { pending_cookie_ = 0; }

    /// What is known of the connector has changed: its monitor was unplugged, or came back, or is another
    /// one. A monitor that is back shows what is to be shown, or the neutral frame when that does not fit.
    Result<void> replug(const ConnectorInfo &now);
    [[nodiscard]] bool has_monitor() const { return connector_.connected; }

    /// Another program drives the device now. What is shown from here on is noted only: show() answers
    /// pending, and no event follows.
    void sleep();
    /// The device is ours again, and shows what was last noted; the neutral frame where that fails.
    Result<void> wake();
    [[nodiscard]] bool is_asleep() const { return asleep_; }
    [[nodiscard]] const ConnectorInfo &connector() const { return connector_; }
    [[nodiscard]] uint32_t crtc() const { return crtc_; }

    [[nodiscard]] DrmDevice &device() const { return device_; }
    [[nodiscard]] const drmModeModeInfo &mode() const { return mode_; }

    struct Screen {
        uint32_t width, height;       ///< pixels of the mode that the screen prefers
        uint32_t width_mm, height_mm; ///< 0: not known
    };
    [[nodiscard]] Screen screen() const;
    /// What is seen of the frame: from its upper left corner on, as much as the mode has.
    [[nodiscard]] Extent2 seen() const; ///< pixels
    [[nodiscard]] std::string describe() const;

  private:
    KmsOutput(DrmDevice &device, ConnectorInfo connector);
    /// What a framebuffer is without its owner.
    struct Frame {
        uint32_t framebuffer = 0; ///< 0: none of ours
        uint32_t width = 0, height = 0;
        uint32_t fourcc = 0;
    };
    static Frame frame_of(const ShownBuffer &buffer);
    Result<void> set(const Frame &frame, const drmModeModeInfo &mode);
    Result<void> prepare_neutral(const drmModeModeInfo &mode);

    DrmDevice &device_;
    ConnectorInfo connector_;
    uint32_t crtc_;
    std::unique_ptr<KmsPipe> pipe_;
    CrtcState before_;       ///< restored at the end
    drmModeModeInfo mode_{}; ///< now
    Frame frame_;            ///< on the screen, or pending
    std::unique_ptr<DumbBuffer> neutral_;
    uint64_t pending_cookie_ = 0; ///< 0: no flip is pending
    bool asleep_ = false;
};

} // namespace vramlink

#endif
