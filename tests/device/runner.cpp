// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs the tests and prints TAP. The tests of a suite share a process, so that they may share a QEMU; each
// has a time limit. A test whose process dies or hangs has failed; the rest of its suite goes on in a new
// process. One that not even SIGKILL ends has found a kernel that is stuck: no other test would get further,
// so that is the end, with the kernel functions that it waits in.
//
//   device-tests [--gtest_filter=…] [--gtest_list_tests] [--from=N]
//
// --from: not the first N - 1 of them, without a plan; run-in-lab goes on in another machine.
// stdout: TAP 13; what a test that failed or was skipped printed follows its line as comments, of one that
// passed only the lines that begin with "## ". Exit code: 0 when nothing failed.

#include "tests/device/consumer.hpp"
#include "tests/device/hung.hpp"
#include "tests/device/shared.hpp"
#include "tests/device/stopping.hpp"
#include "tests/device/storm_crowd.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using vramlink::test::patience;
using Clock = std::chrono::steady_clock;

/// VRAMLINK_TEST_LIMIT=SECONDS is another one, for a long soak.
int test_limit_ms()
{
    const char *wish = std::getenv("VRAMLINK_TEST_LIMIT");
    return wish != nullptr ? std::atoi(wish) * 1000 : 60'000;
}

constexpr int kill_limit_ms = 4'000;

enum Verdict : char { failed = 'f', skipped = 's', passed = 'p' };

bool is_last_of_its_suite(const testing::TestInfo &info)
{
    const auto &suite = *testing::UnitTest::GetInstance()->current_test_suite();
    const testing::TestInfo *last = nullptr;
    for (int i = 0; i < suite.total_test_count(); i++)
        if (suite.GetTestInfo(i)->should_run())
            last = suite.GetTestInfo(i);
    return last == &info;
}

/// In the child: one byte to the parent for each finished test. The last one must leave a shared QEMU that
/// ends by itself.
class Reporter : public testing::EmptyTestEventListener {
  public:
    explicit Reporter(int fd) : fd_(fd) {}
    void OnTestEnd(const testing::TestInfo &info) override
    {
        const auto *result = info.result();
        const Verdict verdict = result->Failed() ? failed : result->Skipped() ? skipped : passed;
        if (is_last_of_its_suite(info))
            vramlink::test::Shared::end();
        fflush(stdout);
        if (write(fd_, &verdict, 1) != 1)
            std::abort();
    }

  private:
    int fd_;
};

std::string joined(const std::vector<std::string> &names)
{
    std::string filter;
    for (const auto &name : names)
        filter += (filter.empty() ? "" : ":") + name;
    return filter;
}

[[noreturn]] void run_in_child(const std::vector<std::string> &names, int report, int output)
{
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    setvbuf(stdout, nullptr, _IOLBF, 0); // what a test said before it hung
    setpgid(0, 0);
    testing::GTEST_FLAG(filter) = joined(names);
    testing::GTEST_FLAG(brief) = true;
    testing::UnitTest::GetInstance()->listeners().Append(new Reporter(report));
    const int failures = RUN_ALL_TESTS();
    fflush(stdout);
    _exit(failures);
}

class Tap {
  public:
    explicit Tap(int done) : number_(done) {}
    void result(const std::string &name, Verdict verdict, const std::string &output)
    {
        const auto now = Clock::now();
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - last_).count();
        printf("%sok %d - %s%s\n", verdict == failed ? "not " : "", ++number_, name.c_str(),
               verdict == skipped ? (" # SKIP " + reason(output)).c_str() : "");
        comment(output, verdict == passed);
        printf("# %lld ms\n", static_cast<long long>(ms));
        fflush(stdout);
        failed_ += verdict == failed;
        last_ = now;
    }
    /// The test has no verdict: the kernel is stuck.
    void bail_out(const std::string &name)
    {
        printf("Bail out! the kernel is stuck at %d - %s\n", number_ + 1, name.c_str());
        fflush(stdout);
    }
    [[nodiscard]] int failures() const { return failed_; }
    static void comment(const std::string &text, bool remarks_only)
    {
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            const bool remark = line.starts_with("## ");
            if (remark || !remarks_only)
                printf("%s%s\n", remark ? "" : "# ", line.c_str());
        }
    }

  private:
    /// Of GTEST_SKIP(): the line behind "FILE:LINE: Skipped".
    static std::string reason(const std::string &output)
    {
        std::istringstream lines(output);
        for (std::string line; std::getline(lines, line);) {
            if (line.ends_with(": Skipped") && std::getline(lines, line))
                return line;
        }
        return "";
    }

    int number_;
    int failed_ = 0;
    Clock::time_point last_ = Clock::now();
};

/// The parent's side of one child.
class Child {
  public:
    explicit Child(const std::vector<std::string> &names)
    {
        if (pipe2(report_.data(), O_CLOEXEC) != 0 || pipe2(output_.data(), O_CLOEXEC | O_NONBLOCK) != 0)
            std::abort();
        pid_ = fork();
        if (pid_ == 0)
            run_in_child(names, report_[1], output_[1]);
        close(report_[1]);
        close(output_[1]);
    }
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    ~Child()
    {
        if (!ended_)
            end();
        close(report_[0]);
        close(output_[0]);
    }
    /// What is left of the test and its QEMU. False: the kernel holds on to it.
    bool end()
    {
        ended_ = true;
        return vramlink::test::end_group(pid_, patience(kill_limit_ms));
    }

    /// Waits for the next verdict; false when the child ended or took too long.
    bool next(Verdict &verdict)
    {
        const auto end = Clock::now() + std::chrono::milliseconds(patience(test_limit_ms()));
        for (;;) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
            std::array<pollfd, 2> fds{{{report_[0], POLLIN, 0}, {output_open_ ? output_[0] : -1, POLLIN, 0}}};
            if (left <= 0 || poll(fds.data(), fds.size(), static_cast<int>(left)) == 0) {
                text += "still running after " + std::to_string(patience(test_limit_ms())) + " ms: killed\n" +
                        vramlink::test::stuck_threads(pid_);
                return false;
            }
            drain();
            if (fds[0].revents)
                return read(report_[0], &verdict, 1) == 1;
        }
    }

    std::string text; ///< what the child printed; the caller clears it

  private:
    void drain()
    {
        std::array<char, 4096> buffer{};
        ssize_t n = 0;
        while ((n = read(output_[0], buffer.data(), buffer.size())) > 0)
            text.append(buffer.data(), static_cast<std::size_t>(n));
        output_open_ = output_open_ && n != 0;
    }

    std::array<int, 2> report_{};
    std::array<int, 2> output_{};
    bool output_open_ = true;
    bool ended_ = false;
    pid_t pid_ = -1;
};

/// Runs tests of one suite in one process, as far as it lives. Removes from @p names what has a verdict.
/// False: the process cannot be ended.
bool run_process(std::vector<std::string> &names, Tap &tap)
{
    Child child(names);
    Verdict verdict = failed;
    while (!names.empty() && child.next(verdict)) {
        tap.result(names.front(), verdict, child.text);
        child.text.clear();
        names.erase(names.begin());
    }
    const bool ended = child.end();
    if (!ended)
        tap.comment(child.text, false);
    if (!ended || names.empty())
        return ended;
    tap.result(names.front(), failed, child.text + "the test's process has ended\n");
    names.erase(names.begin());
    return true;
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

std::vector<std::string> selected_tests(const testing::TestSuite &suite)
{
    std::vector<std::string> names;
    for (int i = 0; i < suite.total_test_count(); i++)
        if (suite.GetTestInfo(i)->should_run())
            names.push_back(std::string(suite.name()) + "." + suite.GetTestInfo(i)->name());
    return names;
}

/// --from=N; how many it has taken off.
int skip_first(std::vector<std::vector<std::string>> &suites, int argc, char **argv)
{
    constexpr std::string_view option = "--from=";
    int done = 0;
    for (int i = 1; i < argc; i++)
        if (std::string_view(argv[i]).starts_with(option))
            done = std::atoi(argv[i] + option.size()) - 1;
    int left = std::max(done, 0);
    for (auto &names : suites) {
        const int these = std::min<int>(left, static_cast<int>(names.size()));
        names.erase(names.begin(), names.begin() + these);
        left -= these;
    }
    return std::max(done, 0);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 4 && std::string(argv[1]) == "--stuck-consumer")
        vramlink::test::ConsumerProcess::run(std::atoi(argv[2]), std::atoi(argv[3]));
    if (argc == 5 && std::string(argv[1]) == "--stopping-display")
        vramlink::test::StoppingDisplay::run(std::atoi(argv[2]), std::atoi(argv[4]));
    if (argc == 5 && std::string(argv[1]) == "--checking-consumer")
        vramlink::test::CheckingConsumer::run(std::atoi(argv[2]), std::atoi(argv[3]), argv[4]);
    testing::InitGoogleTest(&argc, argv);
    if (testing::GTEST_FLAG(list_tests))
        return RUN_ALL_TESTS();
    apply_filter();
    std::vector<std::vector<std::string>> suites;
    std::size_t count = 0;
    const auto *unit = testing::UnitTest::GetInstance();
    for (int i = 0; i < unit->total_test_suite_count(); i++)
        count += suites.emplace_back(selected_tests(*unit->GetTestSuite(i))).size();
    const int done = skip_first(suites, argc, argv);
    if (done == 0)
        printf("TAP version 13\n1..%zu\n", count);
    fflush(stdout); // before the first fork
    Tap tap(done);
    for (auto &names : suites) {
        while (!names.empty()) {
            if (run_process(names, tap))
                continue;
            const auto next = std::ranges::find_if(suites, [](const auto &left) { return !left.empty(); });
            if (next == suites.end())
                break; // the last one may leave what it likes
            tap.bail_out(next->front());
            return EXIT_FAILURE;
        }
    }
    return tap.failures() || count == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
