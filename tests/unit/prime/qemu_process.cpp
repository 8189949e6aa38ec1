// SPDX-License-Identifier: GPL-2.0-or-later

#include "tests/unit/prime/qemu_process.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <utility>

namespace vramlink::test {
namespace {

constexpr int skip_code = 77;

bool has_dbus_display()
{
    FILE *help = popen("qemu-system-x86_64 -display help 2>/dev/null", "r"); // NOLINT: a fixed command
    if (!help)
        return false;
    bool found = false;
    char line[256];
    while (std::fgets(line, sizeof(line), help))
        found = found || std::string(line) == "dbus\n";
    return pclose(help) == 0 && found;
}

} // namespace

QemuProcess::QemuProcess(const std::string &socket, const std::vector<std::string> &options)
{
    const std::string qmp = "unix:" + socket + ",server=on,wait=off";
    pid_ = fork();
    if (pid_ != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::vector<const char *> words{
        "qemu-system-x86_64", "-nodefaults", "-accel",         "tcg",  "-m",       "64", "-display",
        "dbus,p2p=yes",       "-device",     "virtio-gpu-pci", "-qmp", qmp.c_str()};
    for (const std::string &option : options)
        words.push_back(option.c_str());
    if (options.empty())
        words.push_back("-S");
    words.push_back(nullptr);
    execvp(words.front(), const_cast<char *const *>(words.data()));
    _exit(127);
}

void QemuProcess::stop()
{
    if (pid_ <= 0)
        return;
    kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, -1), nullptr, 0);
}

int run_tests_with_qemu(int argc, char **argv)
{
    if (!has_dbus_display()) {
        std::puts("SKIP: no qemu-system-x86_64 with a D-Bus display");
        return skip_code;
    }
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}

} // namespace vramlink::test
