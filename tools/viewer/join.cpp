// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/join.hpp"

#include "tools/viewer/libvirt_domain.hpp"
#include "tools/viewer/qmp_client.hpp"

namespace vramlink {

Result<void> join_display(DisplayConnection &connection, const Options &options)
{
    if (!options.vm.empty()) { // asked each time: a domain that is started again has another address
        const auto address = dbus_address_of_domain(options.vm, options.libvirt);
        if (!address)
            return std::unexpected(address.error());
        connection.connect_bus(*address);
    } else if (!options.dbus_address.empty()) {
        connection.connect_bus(options.dbus_address);
    } else {
        auto socket = qmp_join_dbus_display(options.qmp, qmp_limit);
        if (!socket)
            return std::unexpected(socket.error());
        connection.connect_peer(std::move(*socket));
    }
    return {};
}

} // namespace vramlink
