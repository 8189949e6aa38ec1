// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace vramlink::test {

/// The threads of a process group that sleep in the kernel where no signal reaches them (state D), a line
/// each, with the kernel functions that they wait in. Root reads those (/proc/PID/task/TID/stack); others get
/// the names alone. Where there is one, those of all other processes follow: one of them may hold what it
/// waits for.
std::string stuck_threads(pid_t group);

/// The kernel stack ("f+0x1/0x2 < g+0x3/0x4") of a thread of that process that stands in one of the
/// functions, parts of their names; empty when none does.
std::string stack_in(pid_t process, std::initializer_list<std::string_view> functions);

/// Kills the group, whose leader is a child of the caller's, and waits until it has ended; false: some of it
/// is still there after @p limit_ms, so the kernel does not let go of it.
bool end_group(pid_t group, int limit_ms);

} // namespace vramlink::test
