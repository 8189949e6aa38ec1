// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/viewer.hpp"

#include <gtest/gtest.h>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vramlink::test {
namespace {

std::string socket_path()
{
    return std::filesystem::temp_directory_path() / ("vramlink-door-" + std::to_string(getpid()) + ".qmp");
}

} // namespace

std::string Viewer::door()
{
    return " -qmp unix:" + socket_path() + ",server=on,wait=off";
}

std::string Viewer::display_gpu()
{
    auto pci = std::filesystem::canonical("/sys/class/drm/card0/device");
    while (!exists(pci / "config") && pci.has_relative_path()) // a virtio device's parent
        pci = pci.parent_path();
    return pci.filename();
}

Viewer::Viewer(std::vector<std::string> more, std::vector<std::string> environment, Seat seat)
    : stats_path_(std::filesystem::temp_directory_path() /
                  ("vramlink-viewer-" + std::to_string(getpid()) + ".json"))
{
    const char *program = std::getenv("VRAMLINK_VIEWER");
    if (program == nullptr) {
        ADD_FAILURE() << "VRAMLINK_VIEWER names no viewer";
        return;
    }
    const std::string qmp = socket_path();
    std::vector<std::string> words{program, "--kms=/dev/dri/card0", "--qmp", qmp, "--stats", stats_path_};
    if (std::ranges::find(more, "--stats-interval") == more.end())
        words.insert(words.end(), {"--stats-interval", "0.1"});
    if (std::erase(more, may_copy) == 0)
        words.emplace_back("--no-copy");
    if (seat == Seat::left)
        words.emplace_back("--no-input");
    else
        environment.emplace_back("LIBSEAT_BACKEND=builtin");
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char *> argv;
    argv.reserve(words.size() + 1);
    for (auto &word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<char *> envp;
    for (char **variable = environ; *variable != nullptr; variable++)
        envp.push_back(*variable);
    for (auto &variable : environment)
        envp.push_back(variable.data());
    envp.push_back(nullptr);
    std::filesystem::remove(stats_path_); // of one before
    if (const int code = posix_spawn(&pid_, program, nullptr, nullptr, argv.data(), envp.data()); code != 0)
        ADD_FAILURE() << program << ": errno " << code;
}

Viewer::~Viewer()
{
    int status = 0;
    if (pid_ <= 0)
        return;
    ::kill(pid_, SIGCONT); // a test may have stopped it
    ::kill(pid_, SIGTERM);
    if (eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) {
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "wait status " << status;
    } else {
        ADD_FAILURE() << "the viewer does not end when it is told to";
        kill();
    }
    std::filesystem::remove(stats_path_);
}

void Viewer::kill()
{
    if (pid_ <= 0)
        return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

std::optional<int> Viewer::ended()
{
    int status = 0;
    if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_)
        return std::nullopt;
    pid_ = -1;
    return status;
}

Json Viewer::stats() const
{
    std::ifstream file(stats_path_);
    return Json::parse(file, nullptr, false);
}

int Viewer::wait(int signal)
{
    int status = -1;
    if (signal != 0)
        ::kill(pid_, signal);
    if (!eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; }))
        return -1;
    pid_ = -1;
    return status;
}

bool Viewer::says(const std::function<bool(const Json &)> &wanted) const
{
    return eventually([&] {
        const Json now = stats();
        return now.is_object() && wanted(now);
    });
}

bool Viewer::shows_alone(const std::string &what) const
{
    return says(
        [&](const Json &now) { return !now.value("connected", true) && now.value("showing", "") == what; });
}

bool Viewer::shows(const std::string &what) const
{
    return says(
        [&](const Json &now) { return now.value("connected", false) && now.value("showing", "") == what; });
}

Json gem_count(pid_t pid)
{
    const char *viewer = std::getenv("VRAMLINK_VIEWER");
    const auto program = std::filesystem::path(viewer != nullptr ? viewer : "").replace_filename("gem-count");
    FILE *pipe = popen((program.string() + " " + std::to_string(pid)).c_str(), "r");
    if (pipe == nullptr)
        return nullptr;
    std::string text;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;)
        text += static_cast<char>(c);
    return pclose(pipe) == 0 ? Json::parse(text, nullptr, false) : Json();
}

Json neutral_count(const Viewer &viewer)
{
    Json now;
    EXPECT_TRUE(eventually([&] {
        now = gem_count(viewer.pid());
        return now.is_object() && now["framebuffers"] == 1 && now["gem_handles"] == 0 &&
               now["dmabuf_fds"] == 0;
    })) << now.dump();
    return now;
}

} // namespace vramlink::test
