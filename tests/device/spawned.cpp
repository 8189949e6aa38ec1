// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/spawned.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <array>

namespace vramlink::test {

Spawned spawn_self(const std::string &mode, UniqueFd display, const std::string &more)
{
    constexpr int its_display = 103, its_report = 104; // free in any child
    std::array<int, 2> report{};
    Spawned spawned;
    if (!display || pipe2(report.data(), O_CLOEXEC) != 0)
        return spawned;
    spawned.report = UniqueFd(report[0]);
    const UniqueFd other_end(report[1]);
    posix_spawn_file_actions_t files{};
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, display.get(), its_display);
    posix_spawn_file_actions_adddup2(&files, other_end.get(), its_report);
    std::array<std::string, 5> words{"/proc/self/exe", mode, std::to_string(its_display),
                                     std::to_string(its_report), more};
    std::array<char *, 6> argv{};
    for (std::size_t i = 0; i < words.size(); i++)
        argv[i] = words[i].empty() ? nullptr : words[i].data();
    if (posix_spawn(&spawned.pid, words[0].c_str(), &files, nullptr, argv.data(), environ) != 0)
        spawned.pid = -1;
    posix_spawn_file_actions_destroy(&files);
    return spawned;
}

} // namespace vramlink::test
