// SPDX-License-Identifier: GPL-2.0-or-later
//
// A user's list of layouts, which guest and host have agreed on out of band (include/vramlink/layout.h).

#ifndef VRAMLINK_HW_BLOB_LAYOUTS_HPP
#define VRAMLINK_HW_BLOB_LAYOUTS_HPP

#include "vramlink/error.hpp"
#include "vramlink/layout.h"

#include <string_view>
#include <vector>

namespace vramlink {

/// One entry, "FOURCC" or "FOURCC:MODIFIER".
Result<vrl_layout> parse_layout(std::string_view entry);
/// The whole list; empty for "".
Result<std::vector<vrl_layout>> parse_layouts(std::string_view list);

/// Luminance and colour apart: only conversion makes pixels of it.
[[nodiscard]] constexpr bool is_yuv(const vrl_layout &layout) noexcept
{
    return layout.nr_planes > 1;
}

} // namespace vramlink

#endif
