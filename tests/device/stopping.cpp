// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/stopping.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace vramlink::test {

StoppingDisplay::StoppingDisplay(Machine &machine, stop_point point)
    : process_(spawn_self("--stopping-display", UniqueFd(add_display_client(machine)), std::to_string(point)))
{
}

StoppingDisplay::~StoppingDisplay()
{
    if (process_.pid <= 0)
        return;
    ::kill(process_.pid, SIGKILL);
    waitpid(process_.pid, nullptr, 0);
}

/// proc_pid_stat(5): the state follows the name, which stands in parentheses.
bool StoppingDisplay::stopped() const
{
    std::ifstream file("/proc/" + std::to_string(process_.pid) + "/stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto close = text.rfind(") ");
    return close != std::string::npos && text[close + 2] == 'T';
}

void StoppingDisplay::stop() const
{
    ::kill(process_.pid, SIGSTOP);
}

void StoppingDisplay::go_on() const
{
    ::kill(process_.pid, SIGCONT);
}

bool StoppingDisplay::ended()
{
    if (process_.pid > 0 && waitpid(process_.pid, nullptr, WNOHANG) == process_.pid)
        process_.pid = -1;
    return process_.pid <= 0;
}

void StoppingDisplay::run(int display, int point)
{
    stopping_display_run(display, static_cast<stop_point>(point));
    _exit(EXIT_SUCCESS);
}

} // namespace vramlink::test
