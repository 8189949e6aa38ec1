// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/viewer.hpp"

#include <gtest/gtest.h>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vramlink::test {
namespace {

std::string socket_path()
{
    return std::filesystem::temp_directory_path() / ("vramlink-door-" + std::to_string(getpid()) + ".qmp");
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace vramlink::test {

namespace {

std::string tool(const std::string &name)
{
    const char *directory = std::getenv("VRAMLINK_TOOLS");
    return (directory != nullptr ? std::string(directory) : std::string(".")) + "/" + name;
}

} // namespace

std::string Viewer::door()
{
    return " -qmp unix:" + socket_path() + ",server=on,wait=off";
}

Viewer::Viewer()
    : stats_path_(std::filesystem::temp_directory_path() /
                  ("vramlink-viewer-" + std::to_string(getpid()) + ".json"))
{
    const char *program = std::getenv("VRAMLINK_VIEWER");
    if (program == nullptr) {
        ADD_FAILURE() << "VRAMLINK_VIEWER names no viewer";
        return;
    }
    const std::string qmp = socket_path();
    std::string words[] = {program,     "--kms=/dev/dri/card0", "--qmp", qmp, "--stats",
                           stats_path_, "--stats-interval",     "0.1"};
    std::vector<char *> argv;
    for (auto &word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    if (const int code = posix_spawn(&pid_, program, nullptr, nullptr, argv.data(), environ); code != 0)
        ADD_FAILURE() << program << ": errno " << code;
Viewer::Viewer(const std::string &kms, const std::string &qmp)
    : stats_file_(std::filesystem::temp_directory_path() /
                  ("vramlink-viewer-" + std::to_string(getpid()) + ".json"))
{
    const std::string program = tool("vramlink-viewer");
    pid_ = fork();
    if (pid_ == 0) {
        execl(program.c_str(), program.c_str(), "--kms", kms.c_str(), "--qmp", qmp.c_str(), "--stats",
              stats_file_.c_str(), "--log-level", "error", static_cast<char *>(nullptr));
        std::perror(program.c_str());
        _exit(127);
    }
}

Viewer::~Viewer()
{
    int status = 0;
    if (pid_ <= 0)
        return;
    kill(pid_, SIGCONT); // a test may have stopped it
    kill(pid_, SIGTERM);
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "wait status " << status;
    std::filesystem::remove(stats_path_);
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
    std::filesystem::remove(stats_file_);
}

Json Viewer::holds() const
{
    FILE *pipe = popen((tool("gem-count") + " " + std::to_string(pid_)).c_str(), "r");
    if (pipe == nullptr)
        return nullptr;
    std::string text;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;)
        text += static_cast<char>(c);
    if (pclose(pipe) != 0)
        return nullptr;
    return Json::parse(text, nullptr, false);
}

Json Viewer::stats() const
{
    std::ifstream file(stats_path_);
    return Json::parse(file, nullptr, false);
}

bool Viewer::shows(const std::string &what) const
{
    return eventually([&] {
        const Json now = stats();
        return now.is_object() && now.value("connected", false) && now.value("showing", "") == what;
    });
}

    std::error_code none;
    const auto before = std::filesystem::last_write_time(stats_file_, none);
    kill(pid_, SIGUSR1);
    const bool written = eventually([&] {
        std::error_code missing;
        const auto now = std::filesystem::last_write_time(stats_file_, missing);
        return !missing && now != before;
    });
    EXPECT_TRUE(written) << stats_file_ << " is not written";
    std::ifstream file(stats_file_);
    return Json::parse(file, nullptr, false);
}

} // namespace vramlink::test
