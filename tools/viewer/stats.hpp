// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the viewer measured, as JSON. The keys are documented in docs/viewer.md.

#ifndef VRAMLINK_TOOLS_VIEWER_STATS_HPP
#define VRAMLINK_TOOLS_VIEWER_STATS_HPP

#include "tools/viewer/presenter.hpp"
#include "vramlink/error.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace vramlink {

nlohmann::json collect_stats(const Presenter &presenter);

/// Descriptors of this process that are dma-bufs, counted in /proc/self/fd.
uint64_t count_dmabuf_fds();

/// Replaces @p path in one step: a reader sees the old file or the new one.
Result<void> write_atomically(const std::string &path, const std::string &text);

} // namespace vramlink

#endif
