// SPDX-License-Identifier: GPL-2.0-or-later
//
// Asks vramlink's devices for the mapped picture: for a dma-buf that nobody here can use, neither by import
// nor by mmap (VFIO's have none). The devices then show a surface over their own mapping of VRAM, and QEMU
// sends that. Other devices have no such property, and are left alone.

#ifndef VRAMLINK_TOOLS_VIEWER_MAPPED_REQUEST_HPP
#define VRAMLINK_TOOLS_VIEWER_MAPPED_REQUEST_HPP

#include "vramlink/error.hpp"

#include <chrono>
#include <string>

namespace vramlink {

/// Sets the property show-mapped of every device behind the QMP socket at @p qmp that has one; answers how
/// many there are. Blocks for at most @p limit. Errors: those of Qmp::connect() and Qmp::command().
Result<unsigned> request_mapped(const std::string &qmp, bool mapped, std::chrono::milliseconds limit);

} // namespace vramlink

#endif
