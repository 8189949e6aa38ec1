// SPDX-License-Identifier: GPL-2.0-or-later
//
// QMP, as much as it takes to hand QEMU one end of a D-Bus connection.
//
// The QMP connection is used for that moment only and closed again, because a QMP socket serves one client at
// a time and others want it too.

#ifndef VRAMLINK_TOOLS_VIEWER_QMP_CLIENT_HPP
#define VRAMLINK_TOOLS_VIEWER_QMP_CLIENT_HPP

#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

#include <chrono>
#include <string>

namespace vramlink {

/// Connects to the QMP socket at @p path, passes QEMU a socket (getfd) and makes it serve the display's D-Bus
/// protocol on it (add_client, protocol "@dbus-display"). Answers our end. Blocks for at most @p limit.
/// Errors: errno of connect() and others; EPROTO with QEMU's own words when it refuses; ETIMEDOUT.
Result<UniqueFd> qmp_join_dbus_display(const std::string &path, std::chrono::milliseconds limit);

} // namespace vramlink

#endif
