// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs the tests and prints TAP. Each test runs in a process of its own with a time limit, so that a QEMU
// that dies or hangs costs one test.
//
//   device-tests [--gtest_filter=…] [--gtest_list_tests]
//
// stdout: TAP 13; what a test that failed or was skipped printed follows its line as comments. Exit code: 0
// when nothing failed.

#include "tests/device/machine.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int test_limit_ms = 60'000;
constexpr int exit_failed = 1;
constexpr int exit_skipped = 77;

struct Outcome {
    int status = 0;     ///< of waitpid()
    std::string output; ///< stdout and stderr of the test
    int ms = 0;
};

[[noreturn]] void run_in_child(const std::string &name, int output)
{
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    setpgid(0, 0);
    testing::GTEST_FLAG(filter) = name;
    testing::GTEST_FLAG(brief) = true;
    const int failed = RUN_ALL_TESTS();
    fflush(stdout);
    const bool skipped = testing::UnitTest::GetInstance()->skipped_test_count() > 0;
    _exit(failed ? exit_failed : skipped ? exit_skipped : 0);
}

/// Reads until the writers are gone or the time is up; false for the latter.
bool read_until(int fd, std::string &text, Clock::time_point end)
{
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        pollfd ready{fd, POLLIN, 0};
        if (left <= 0 || poll(&ready, 1, static_cast<int>(left)) == 0)
            return false;
        std::array<char, 4096> buffer{};
        const ssize_t n = read(fd, buffer.data(), buffer.size());
        if (n <= 0)
            return true;
        text.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

Outcome run(const std::string &name)
{
    const auto start = Clock::now();
    std::array<int, 2> output{};
    if (pipe2(output.data(), O_CLOEXEC) != 0)
        std::abort();
    const pid_t child = fork();
    if (child == 0)
        run_in_child(name, output[1]);
    close(output[1]);
    Outcome outcome;
    const int limit = vramlink::test::patience(test_limit_ms);
    if (!read_until(output[0], outcome.output, start + std::chrono::milliseconds(limit))) {
        outcome.output += "still running after " + std::to_string(limit) + " ms: killed\n";
        kill(-child, SIGKILL); // the test and its QEMU
    }
    close(output[0]);
    waitpid(child, &outcome.status, 0);
    outcome.ms =
        static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count());
    return outcome;
}

void print_comments(const std::string &text)
{
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        printf("# %s\n", text.substr(start, end - start).c_str());
        start = end + 1;
    }
}

/// @returns whether the test failed.
bool report(int number, const std::string &name, const Outcome &outcome)
{
    const int code = WIFEXITED(outcome.status) ? WEXITSTATUS(outcome.status) : -1;
    const bool failed = code != 0 && code != exit_skipped;
    printf("%sok %d - %s%s\n", failed ? "not " : "", number, name.c_str(),
           code == exit_skipped ? " # SKIP" : "");
    if (WIFSIGNALED(outcome.status))
        printf("# ended by signal %d\n", WTERMSIG(outcome.status));
    if (code != 0)
        print_comments(outcome.output);
    printf("# %d ms\n", outcome.ms);
    fflush(stdout);
    return failed;
}

/// GoogleTest applies --gtest_filter when it runs or lists, not before: let it list to nowhere.
void apply_filter()
{
    fflush(stdout);
    const int out = dup(STDOUT_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDOUT_FILENO);
    testing::GTEST_FLAG(list_tests) = true;
    [[maybe_unused]] const int listed = RUN_ALL_TESTS();
    testing::GTEST_FLAG(list_tests) = false;
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(nowhere);
    close(out);
}

std::vector<std::string> selected_tests()
{
    std::vector<std::string> names;
    const auto *unit = testing::UnitTest::GetInstance();
    for (int s = 0; s < unit->total_test_suite_count(); s++) {
        const auto *suite = unit->GetTestSuite(s);
        for (int t = 0; t < suite->total_test_count(); t++)
            if (suite->GetTestInfo(t)->should_run())
                names.push_back(std::string(suite->name()) + "." + suite->GetTestInfo(t)->name());
    }
    return names;
}

} // namespace

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    if (testing::GTEST_FLAG(list_tests))
        return RUN_ALL_TESTS();
    apply_filter();
    const auto names = selected_tests();
    printf("TAP version 13\n1..%zu\n", names.size());
    fflush(stdout);
    int failed = 0;
    for (std::size_t i = 0; i < names.size(); i++)
        failed += report(static_cast<int>(i) + 1, names[i], run(names[i]));
    return failed || names.empty() ? EXIT_FAILURE : EXIT_SUCCESS;
}
