// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_SCREENSHOT_HPP
#define VRAMLINK_TOOLS_VIEWER_SCREENSHOT_HPP

#include "tools/viewer/options.hpp"

namespace vramlink {

/// Writes the picture of the first output that @p options choose to options.screenshot, as PNG; the exit
/// code. Takes no display: the picture is copied by the CPU. A dma-buf that cannot be mapped is asked for as
/// a mapped picture (mapped_request.hpp), and that is undone at the end.
int run_screenshot(const Options &options);

} // namespace vramlink

#endif
