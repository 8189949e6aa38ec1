// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "vramlink/unique_fd.hpp"

#include <sys/types.h>

#include <string>

namespace vramlink::test {

/// This program once more, as a display of QEMU's in a process of its own.
struct Spawned {
    pid_t pid = -1; ///< -1: it does not run
    UniqueFd report;
};

/// Runs "PROGRAM MODE DISPLAY REPORT MORE" (runner.cpp), where DISPLAY is the number of the descriptor that
/// it gets for @p display, and REPORT that of the other end of Spawned::report.
[[nodiscard]] Spawned spawn_self(const std::string &mode, UniqueFd display, const std::string &more = "");

} // namespace vramlink::test
