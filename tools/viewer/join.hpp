// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_JOIN_HPP
#define VRAMLINK_TOOLS_VIEWER_JOIN_HPP

#include "tools/viewer/display_connection.hpp"
#include "tools/viewer/options.hpp"

#include <chrono>

namespace vramlink {

inline constexpr std::chrono::milliseconds qmp_limit{5000}; ///< for one conversation with QEMU's monitor
inline constexpr int64_t retry_us = G_USEC_PER_SEC;         ///< between attempts to join

/// Has @p connection connect to where @p options say that QEMU is; its callbacks tell the rest. An error
/// means that it does not even begin: QMP's, or virsh's. Blocks for as long as those take, which is bounded.
Result<void> join_display(DisplayConnection &connection, const Options &options);

} // namespace vramlink

#endif
