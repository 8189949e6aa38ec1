// SPDX-License-Identifier: GPL-2.0-or-later
//
// What connections to QEMU have in common. Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_DBUS_PARTS_HPP
#define VRAMLINK_TOOLS_VIEWER_DBUS_PARTS_HPP

#include "tools/viewer/glib_ptr.hpp"
#include "vramlink/unique_fd.hpp"

#include <string>
#include <utility>

namespace vramlink {

/// A stream over @p socket (taken); null when it is no socket.
GObjectPtr<GIOStream> stream_over(UniqueFd socket);

/// Two connected sockets, ours first; invalid ones, with errno set, when there are none to be had.
std::pair<UniqueFd, UniqueFd> socket_pair();

/// Closes @p connection without waiting, after no handler of @p self is called by it; it is null then.
void close_quietly(GObjectPtr<GDBusConnection> &connection, gpointer self);

/// Why a connection was closed, by the arguments of its signal "closed", in one sentence.
std::string why_closed(gboolean vanished, const GError *error);

} // namespace vramlink

#endif
