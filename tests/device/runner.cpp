// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs the tests and prints TAP. Each suite runs in a process of its own with a time limit for each test, so
// that a QEMU that dies or hangs costs the tests of its suite and no more: they are reported as failed.
//
//   device-tests [--gtest_filter=…] [--gtest_list_tests]
//
// stdout: TAP 13. Exit code: 0 when nothing failed.

#include "tests/device/machine.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace {

using vramlink::test::patience;

constexpr int test_limit_ms = 60'000;

/// In the child: one line per finished test, "p NAME", "f NAME" or "s NAME", to the parent.
class Reporter : public testing::EmptyTestEventListener {
  public:
    explicit Reporter(int fd) : fd_(fd) {}
    void OnTestEnd(const testing::TestInfo &info) override
    {
        const auto *result = info.result();
        const char verdict = result->Failed() ? 'f' : result->Skipped() ? 's' : 'p';
        const std::string name = std::string(info.test_suite_name()) + "." + info.name();
        dprintf(fd_, "%c %s\n", verdict, name.c_str());
    }
    /// A suite whose machine did not come up reports none of its tests: the parent counts them as failed.

  private:
    int fd_;
};

std::vector<std::string> selected_tests(const testing::TestSuite &suite)
{
    std::vector<std::string> names;
    for (int i = 0; i < suite.total_test_count(); i++)
        if (suite.GetTestInfo(i)->should_run())
            names.push_back(std::string(suite.name()) + "." + suite.GetTestInfo(i)->name());
    return names;
}

std::string joined(const std::vector<std::string> &names)
{
    std::string filter;
    for (const auto &name : names)
        filter += (filter.empty() ? "" : ":") + name;
    return filter;
}

[[noreturn]] void run_suite(const std::vector<std::string> &names, int report, int output)
{
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    testing::GTEST_FLAG(filter) = joined(names);
    testing::UnitTest::GetInstance()->listeners().Append(new Reporter(report));
    const int failed = RUN_ALL_TESTS();
    fflush(stdout);
    _exit(failed);
}

class Tap {
  public:
    void result(bool ok, const std::string &name, const std::string &comment = {})
    {
        printf("%sok %d - %s%s\n", ok ? "" : "not ", ++number_, name.c_str(), comment.c_str());
        failed_ += !ok;
        fflush(stdout);
    }
    void diagnose(const std::string &text)
    {
        for (std::size_t start = 0; start < text.size();) {
            const std::size_t end = std::min(text.find('\n', start), text.size());
            printf("# %s\n", text.substr(start, end - start).c_str());
            start = end + 1;
        }
    }
    [[nodiscard]] int number() const { return number_; }
    [[nodiscard]] int failed() const { return failed_; }

  private:
    int number_ = 0;
    int failed_ = 0;
};

struct Suite {
    std::vector<std::string> open; ///< tests without a verdict yet
    std::string lines;             ///< reports, as far as read
    std::string output;            ///< what the tests printed since the last verdict
};

void take_verdicts(Suite &suite, Tap &tap)
{
    for (std::size_t end; (end = suite.lines.find('\n')) != std::string::npos;
         suite.lines.erase(0, end + 1)) {
        const std::string name = suite.lines.substr(2, end - 2);
        const char verdict = suite.lines[0];
        tap.result(verdict != 'f', name, verdict == 's' ? " # SKIP" : "");
        if (verdict != 'p')
            tap.diagnose(suite.output);
        suite.output.clear();
        std::erase(suite.open, name);
    }
}

/// Reads what is there; false at the end of the stream.
bool drain(int fd, std::string &text)
{
    std::array<char, 4096> buffer{};
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n > 0)
        text.append(buffer.data(), static_cast<std::size_t>(n));
    return n > 0;
}

/// Follows the child until it closes its report; kills it when a test takes too long.
void follow(pid_t child, int report, int output, Suite &suite, Tap &tap)
{
    std::array<pollfd, 2> fds{{{output, POLLIN, 0}, {report, POLLIN, 0}}};
    for (bool open = true; open;) {
        if (poll(fds.data(), fds.size(), patience(test_limit_ms)) == 0) {
            suite.output += "no sign of life within the time limit: killed\n";
            kill(child, SIGKILL);
            return;
        }
        if (fds[0].revents && !drain(output, suite.output))
            fds[0].fd = -1;
        if (fds[1].revents)
            open = drain(report, suite.lines);
        take_verdicts(suite, tap);
    }
}

void run(const testing::TestSuite &test_suite, Tap &tap)
{
    Suite suite{selected_tests(test_suite), {}, {}};
    if (suite.open.empty())
        return;
    std::array<int, 2> report{};
    std::array<int, 2> output{};
    if (pipe(report.data()) != 0 || pipe(output.data()) != 0)
        std::abort();
    const pid_t child = fork();
    if (child == 0)
        run_suite(suite.open, report[1], output[1]);
    close(report[1]);
    close(output[1]);
    follow(child, report[0], output[0], suite, tap);
    close(report[0]);
    int status = 0;
    waitpid(child, &status, 0);
    while (drain(output[0], suite.output))
        ;
    close(output[0]);
    for (const auto &name : suite.open)
        tap.result(false, name);
    if (!suite.open.empty())
        tap.diagnose(suite.output);
}

} // namespace

namespace {

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

} // namespace

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    if (testing::GTEST_FLAG(list_tests))
        return RUN_ALL_TESTS();
    auto *unit = testing::UnitTest::GetInstance();
    Tap tap;
    apply_filter();
    puts("TAP version 13");
    fflush(stdout);
    for (int i = 0; i < unit->total_test_suite_count(); i++)
        run(*unit->GetTestSuite(i), tap);
    printf("1..%d\n", tap.number());
    return tap.failed() ? 1 : 0;
}
