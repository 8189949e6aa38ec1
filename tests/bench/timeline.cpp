// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/timeline.hpp"

#include "tests/bench/desk.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>

namespace vramlink::test {

namespace fs = std::filesystem;

std::int64_t now_ns()
{
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

std::string Timeline::path()
{
    return fs::temp_directory_path() / "vramlink-timeline";
}

std::string Timeline::variable()
{
    return "VRAMLINK_TEST_TIMELINE=" + path();
}

std::string Timeline::library()
{
    return fs::read_symlink("/proc/self/exe").parent_path() / "libtimeline.so";
}

Timeline::~Timeline()
{
    fs::remove(path());
}

void Timeline::clear()
{
    std::ofstream file(path(), std::ios::trunc);
}

Step Timeline::wait(const std::string &what)
{
    Step found;
    require(eventually([&] {
                found = last(what);
                return found.end != 0;
            }),
            "nobody did '" + what + "'");
    return found;
}

Step Timeline::last(const std::string &what)
{
    std::ifstream file(path());
    Step found;
    for (Step step; file >> step.what >> step.start >> step.end;)
        found = step.what == what ? step : found;
    return found;
}

} // namespace vramlink::test
