// SPDX-License-Identifier: GPL-2.0-or-later
//
// A device's statistics for people. What is missing or of another kind is shown as "-": a newer plugin may
// tell more, an older one less.

#ifndef VRAMLINK_TOOLS_VRAMLINK_TABLE_HPP
#define VRAMLINK_TOOLS_VRAMLINK_TABLE_HPP

#include "tools/common/devices.hpp"

#include <string>
#include <vector>

namespace vramlink {

/// Totals in a few lines, then a line for each blob; with @p history also those that are gone.
[[nodiscard]] std::string as_table(const Device &device, bool history);

/// {path: stats, ...}.
[[nodiscard]] std::string as_json(const std::vector<Device> &devices);

} // namespace vramlink

#endif
