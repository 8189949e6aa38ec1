// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_PNG_FILE_HPP
#define VRAMLINK_TOOLS_VIEWER_PNG_FILE_HPP

#include "tools/viewer/memory_screen.hpp"
#include "vramlink/error.hpp"

#include <string>

namespace vramlink {

/// Replaces @p path by a PNG of @p picture (8 bits, RGB) in one step. "-" is standard output. Errors: errno
/// and the name of what could not be written.
Result<void> write_png(const Picture &picture, const std::string &path);

} // namespace vramlink

#endif
