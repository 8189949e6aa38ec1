// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/hung.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

namespace vramlink::test {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path &file)
{
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

struct Stat {
    std::string name;
    char state = '?';
    pid_t group = 0;
};

/// proc_pid_stat(5): the name stands in parentheses and may contain any.
Stat stat_of(const fs::path &directory)
{
    const std::string text = contents(directory / "stat");
    const auto open = text.find('('), close = text.rfind(')');
    Stat stat;
    if (open == std::string::npos || close == std::string::npos)
        return stat;
    stat.name = text.substr(open + 1, close - open - 1);
    pid_t parent = 0;
    std::istringstream(text.substr(close + 1)) >> stat.state >> parent >> stat.group;
    return stat;
}

/// "[<0>] f+0x1/0x2" lines as "f+0x1/0x2 < g+0x3/0x4".
std::string stack_of(const fs::path &thread)
{
    std::istringstream lines(contents(thread / "stack"));
    std::string functions;
    for (std::string line; std::getline(lines, line);) {
        const auto name = line.find(' ');
        if (name != std::string::npos)
            functions += (functions.empty() ? "" : " < ") + line.substr(name + 1);
    }
    return functions;
}

/// All processes, or those of a group.
std::vector<fs::path> processes_of(std::optional<pid_t> group)
{
    std::vector<fs::path> found;
    std::error_code gone; // processes and threads end while one looks
    for (const auto &process : fs::directory_iterator("/proc", gone)) {
        const std::string name = process.path().filename();
        if (std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c); }) &&
            (!group || stat_of(process.path()).group == *group))
            found.push_back(process.path());
    }
    return found;
}

/// All threads, or those of a group, by directory. One that has ended and that nobody has waited for (Z) is
/// none.
std::vector<std::pair<fs::path, Stat>> threads_of(std::optional<pid_t> group)
{
    std::vector<std::pair<fs::path, Stat>> found;
    std::error_code gone;
    for (const auto &process : processes_of(group)) {
        for (const auto &thread : fs::directory_iterator(process / "task", gone)) {
            const Stat stat = stat_of(thread.path());
            if (stat.state != 'Z' && stat.state != '?')
                found.emplace_back(thread.path(), stat);
        }
    }
    return found;
}

} // namespace

std::string stuck_threads(pid_t group)
{
    std::string report, others;
    for (const auto &[thread, stat] : threads_of(std::nullopt)) {
        if (stat.state == 'D')
            (stat.group == group ? report : others) += stat.name + " (" + thread.filename().string() +
                                                       ") waits in the kernel: " + stack_of(thread) + "\n";
    }
    return report.empty() ? "" : report + others;
}

std::string stack_in(pid_t process, std::initializer_list<std::string_view> functions)
{
    std::error_code gone;
    for (const auto &thread : fs::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
        std::string stack = stack_of(thread.path());
        if (std::ranges::any_of(functions, [&](auto function) { return stack.find(function) != stack.npos; }))
            return stack;
    }
    return "";
}

bool end_group(pid_t group, int limit_ms)
{
    kill(-group, SIGKILL);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(limit_ms);
    for (bool leader = true; leader || (kill(-group, 0) == 0 && !threads_of(group).empty());) {
        leader = leader && waitpid(group, nullptr, WNOHANG) == 0;
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

} // namespace vramlink::test
