// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which connectors of a device can show something at the same time, and through which CRTC each. Pure.

#ifndef VRAMLINK_HW_PRIME_CRTC_CHOICE_HPP
#define VRAMLINK_HW_PRIME_CRTC_CHOICE_HPP

#include "hw/prime/drm_api.hpp"
#include "vramlink/error.hpp"

#include <set>
#include <vector>

namespace vramlink {

/// A monitor is there, and a mode for it.
bool is_usable(const ConnectorInfo &connector);

/// As many connected connectors as can have a CRTC of their own, in the device's order; `current_crtc` is the
/// CRTC to use, the one that the connector has where nobody else needs it. CRTCs in @p taken are not used.
/// Left out: what has no mode, and what the CRTCs do not suffice for. ENODEV names what there is when nothing
/// is usable.
Result<std::vector<ConnectorInfo>> choose_connectors(const std::vector<ConnectorInfo> &connectors,
                                                     const std::set<uint32_t> &taken = {});

} // namespace vramlink

#endif
