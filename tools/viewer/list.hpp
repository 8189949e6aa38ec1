// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_LIST_HPP
#define VRAMLINK_TOOLS_VIEWER_LIST_HPP

#include "tools/common/devices.hpp"
#include "tools/viewer/options.hpp"
#include "tools/viewer/vm_info.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace vramlink {

/// What `--list --json` prints; docs/viewer.md documents the keys. @p devices: vramlink's of this VM, for the
/// plan of what is on each output; an output of another device, or that shows no blob, has null there.
nlohmann::json describe_outputs(const VmInfo &vm, const std::vector<Device> &devices);
/// The same as a table for people.
std::string table_of_outputs(const nlohmann::json &vm);

/// Prints the VM's outputs; the exit code.
int run_list(const Options &options);

} // namespace vramlink

#endif
