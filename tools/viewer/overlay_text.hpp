// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_OVERLAY_TEXT_HPP
#define VRAMLINK_TOOLS_VIEWER_OVERLAY_TEXT_HPP

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace vramlink {

inline constexpr size_t overlay_columns = 64;

/// What the overlay says of @p stats (collect_stats()), in lines of at most overlay_columns letters. Keys
/// that are missing are left out.
std::vector<std::string> overlay_lines(const nlohmann::json &stats);

} // namespace vramlink

#endif
