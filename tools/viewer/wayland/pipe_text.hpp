// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_WAYLAND_PIPE_TEXT_HPP
#define VRAMLINK_TOOLS_VIEWER_WAYLAND_PIPE_TEXT_HPP

#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

#include <functional>
#include <string>

namespace vramlink {

/// Reads @p from (taken) to its end, on the default main context, and calls @p done once. Errors: EFBIG, more
/// than
/// @p most bytes; ETIMEDOUT, the end has not come within two seconds; the errno of read().
void read_text(UniqueFd from, size_t most, std::function<void(Result<std::string>)> done);

} // namespace vramlink

#endif
