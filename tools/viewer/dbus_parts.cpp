// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/dbus_parts.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>

namespace vramlink {

GObjectPtr<GIOStream> stream_over(UniqueFd socket)
{
    GErrorHolder error;
    const GObjectPtr<GSocket> wrapped(g_socket_new_from_fd(socket.get(), &error));
    if (!wrapped)
        return nullptr;
    (void)socket.release(); // the GSocket closes it
    return GObjectPtr<GIOStream>(G_IO_STREAM(g_socket_connection_factory_create_connection(wrapped.get())));
}

std::pair<UniqueFd, UniqueFd> socket_pair()
{
    std::array<int, 2> pair{-1, -1};
    (void)socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data());
    return {UniqueFd(pair[0]), UniqueFd(pair[1])};
}

void close_quietly(GObjectPtr<GDBusConnection> &connection, gpointer self)
{
    if (!connection)
        return;
    g_signal_handlers_disconnect_by_data(connection.get(), self);
    g_dbus_connection_close(connection.get(), nullptr, nullptr, nullptr);
    connection.reset();
}

std::string why_closed(gboolean vanished, const GError *error)
{
    return fmt::format("the connection to QEMU ended{}{}",
                       error      ? ": "
                       : vanished ? " (QEMU is gone)"
                                  : "",
                       error ? error->message : "");
}

} // namespace vramlink
