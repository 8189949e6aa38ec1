// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <string>

namespace vramlink::test {

/// The threads of a process group that sleep in the kernel where no signal reaches them (state D), a line
/// each, with the kernel functions that they wait in. Root reads those (/proc/PID/task/TID/stack); others get
/// the names alone.
std::string stuck_threads(pid_t group);

/// Kills the group, whose leader is a child of the caller's, and waits until it has ended; false: some of it
/// is still there after @p limit_ms, so the kernel does not let go of it.
bool end_group(pid_t group, int limit_ms);

} // namespace vramlink::test
