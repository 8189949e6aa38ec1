// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which of a connector's modes a guest's frame is shown with. Pure functions.

#ifndef VRAMLINK_HW_PRIME_MODE_CHOICE_HPP
#define VRAMLINK_HW_PRIME_MODE_CHOICE_HPP

#include "hw/prime/drm_api.hpp"
#include "vramlink/error.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vramlink {

/// The mode for showing nothing: the preferred one, else the first.
drmModeModeInfo idle_mode(const ConnectorInfo &connector);

/// The mode for a frame of @p width x @p height pixels: exactly that size if offered (the highest refresh
/// rate of those at most 60 Hz, else the lowest); on a virtual connector, which has no timing to keep, a mode
/// made to measure; else the largest mode inside the frame, because a CRTC cannot scan out beyond its
/// framebuffer. nullopt: every mode is larger than the frame.
std::optional<drmModeModeInfo> mode_for(const ConnectorInfo &connector, uint32_t width, uint32_t height);

bool same_mode(const drmModeModeInfo &a, const drmModeModeInfo &b);

/// "HDMI-A-1", "Virtual-1", ... as the kernel names it.
std::string connector_name(const ConnectorInfo &connector);

} // namespace vramlink

#endif
