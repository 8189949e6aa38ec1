// SPDX-License-Identifier: GPL-2.0-or-later
//
// VmInfo: what QEMU's D-Bus objects say of a VM and its consoles (QEMU: ui/dbus-display1.xml, interfaces VM
// and Console).

#ifndef VRAMLINK_TOOLS_VIEWER_VM_INFO_HPP
#define VRAMLINK_TOOLS_VIEWER_VM_INFO_HPP

#include "vramlink/error.hpp"

#include <glib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace vramlink {

struct ConsoleInfo {
    unsigned id = 0;                ///< of the object Console_N
    std::string label;              ///< QEMU's words
    bool graphic = false;           ///< a display device's; otherwise a text console of QEMU's own
    uint32_t head = 0;              ///< of its device
    uint32_t width = 0, height = 0; ///< pixels
    std::string device;             ///< its address, e.g. "pci/0000/02.0"
    bool operator==(const ConsoleInfo &) const = default;
};

struct VmInfo {
    std::string name, uuid;
    std::vector<ConsoleInfo> consoles; ///< by id
    bool operator==(const VmInfo &) const = default;

    /// Null: there is no such console.
    [[nodiscard]] const ConsoleInfo *console(unsigned id) const;
};

/// @p objects: the answer of ObjectManager.GetManagedObjects, (a{oa{sa{sv}}}). Properties that are missing,
/// or of another type, stay empty. EPROTO when there is no VM among the objects.
Result<VmInfo> decode_vm(GVariant *objects);

} // namespace vramlink

#endif
