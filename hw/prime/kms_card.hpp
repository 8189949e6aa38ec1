// SPDX-License-Identifier: GPL-2.0-or-later
//
// KmsCard: all screens of a DRM device, and its events.
//
// Every connected connector that can have a CRTC becomes an output, which stays as long as the card: when its
// monitor is unplugged the CRTC and what it shows are kept for when it is plugged in again. A monitor on a
// connector that was free becomes a new output.
//
// Thread: one at a time; the owner polls device().fd() for POLLIN and calls read_events(), and rescan() when
// udev says that something was plugged.

#ifndef VRAMLINK_HW_PRIME_KMS_CARD_HPP
#define VRAMLINK_HW_PRIME_KMS_CARD_HPP

#include "hw/prime/kms_output.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace vramlink {

class KmsCard {
  public:
    using Outputs = std::vector<std::unique_ptr<KmsOutput>>;

    /// Shows the neutral frame on every screen. @p device must outlive the card. ENODEV: no screen is usable;
    /// the words say what there is. A screen that cannot be lit is left out as long as another one can.
    static Result<std::unique_ptr<KmsCard>> open(DrmDevice &device);

    [[nodiscard]] DrmDevice &device() const { return device_; }
    /// In the device's order; new ones at the end. Pointers to outputs stay valid.
    [[nodiscard]] const Outputs &outputs() const { return outputs_; }

    /// To be called when the device's fd is readable. The outputs whose pending flip has ended.
    Result<std::vector<KmsOutput *>> read_events();

    /// As KmsOutput's, for every output. A rescan() meanwhile does nothing: another one is due when it wakes.
    /// The error is the first one.
    void sleep();
    Result<void> wake();

    /// Looks at all connectors again. The error is the first one; everything else was done all the same.
    Result<void> rescan();

  private:
    explicit KmsCard(DrmDevice &device) : device_(device) {}
    Result<std::vector<ConnectorInfo>> connectors();
    Result<void> light(const std::vector<ConnectorInfo> &chosen);

    DrmDevice &device_;
    Outputs outputs_;
    bool asleep_ = false;
    std::vector<uint64_t> flipped_; ///< kept for its capacity
};

} // namespace vramlink

#endif
