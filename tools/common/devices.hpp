// SPDX-License-Identifier: GPL-2.0-or-later
//
// The vramlink devices of a running VM, and what each of them tells about itself.

#ifndef VRAMLINK_TOOLS_COMMON_DEVICES_HPP
#define VRAMLINK_TOOLS_COMMON_DEVICES_HPP

#include "tools/common/qmp.hpp"
#include "vramlink/error.hpp"

#include <string>
#include <vector>

namespace vramlink {

struct Device {
    std::string path;                      ///< in QEMU's object tree, such as /machine/peripheral/vram0
    std::string stats;                     ///< JSON; include/vramlink/blob_stats.h, vrl_table_stats_json()
    std::string slot{};                    ///< on its PCI bus, such as 02.0; empty: nobody has asked
    std::vector<std::string> more_blobs{}; ///< JSON, vrl_table_blobs_json(): the pages behind the first
};

/// Every device behind @p qmp that has statistics of ours; none is no error. Errors: those of Qmp::command().
Result<std::vector<Device>> find_devices(Qmp &qmp);

/// Asks for the pages of blobs behind the one that is in @p device.stats. On an error it has those before.
Result<void> fetch_more_blobs(Qmp &qmp, Device &device);

} // namespace vramlink

#endif
