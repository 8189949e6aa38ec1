// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where the D-Bus display of a libvirt domain is. libvirt is no library of ours: virsh is asked, as a child.

#ifndef VRAMLINK_TOOLS_VIEWER_LIBVIRT_DOMAIN_HPP
#define VRAMLINK_TOOLS_VIEWER_LIBVIRT_DOMAIN_HPP

#include "vramlink/error.hpp"

#include <string>

namespace vramlink {

/// The address of the message bus in the XML of a running domain: <graphics type='dbus' address='...'/>,
/// which libvirt fills in when it has started a bus of its own (domain XML format, "Graphical framebuffers").
/// Errors: EOPNOTSUPP for p2p='yes', which takes libvirt's API; ENOENT where there is no such display; EINVAL
/// where
/// @p xml is none.
Result<std::string> dbus_address_in(const std::string &xml);

/// The same of the domain @p name, by `virsh dumpxml`; an empty @p uri is virsh's choice. Blocks for at most
/// ten seconds. Errors: those above; EIO with virsh's own words.
Result<std::string> dbus_address_of_domain(const std::string &name, const std::string &uri);

} // namespace vramlink

#endif
