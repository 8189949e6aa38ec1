// SPDX-License-Identifier: GPL-2.0-or-later
//
// races: a hostile guest of several vCPUs without an operating system. What one vCPU has handed to the device
// is changed, taken away or reset by the others. Prints TAP, a line for each scenario.
//
// Each scenario runs in a process of its own, since a finding mostly ends QEMU, and libqtest then ends the
// process. Rounds have seeds: the first one's is given, the others' follow. Exit code: 0 nothing found, 1 a
// finding, 2 usage.

#include "tests/races/finding.hpp"
#include "tests/races/options.hpp"
#include "tests/races/scenario.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>

namespace vramlink::test {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

/// What the child tells, in memory that both have.
struct Progress {
    volatile std::uint64_t rounds; ///< done
    volatile std::uint64_t seed;   ///< of the one that runs
    char finding[16 << 10];        ///< ends with 0
};

constexpr int round_limit_ms = 120'000;

Progress *told = nullptr;

void tell(const std::string &text)
{
    const std::size_t used = std::strlen(told->finding);
    const std::size_t size = std::min(text.size(), sizeof told->finding - 1 - used);
    std::memcpy(told->finding + used, text.data(), size);
    told->finding[used + size] = 0;
}

/// libqtest aborts when QEMU is gone; what QEMU said last is the finding.
[[noreturn]] void on_abort(int)
{
    const std::string words = Guest::last_words();
    tell(words.empty() ? "the test's process was aborted\n" : words);
    _exit(1);
}

/// GoogleTest's checks in what is shared with the device tests.
class Failures : public testing::EmptyTestEventListener {
    void OnTestPartResult(const testing::TestPartResult &result) override
    {
        if (result.failed())
            tell(std::string(result.summary()) + "\n");
    }
};

[[noreturn]] void play(const Scenario &scenario, const Options &options, Clock::time_point end)
{
    std::unique_ptr<Play> play; // stays when something is thrown: what its QEMU says is asked for then
    try {
        play = scenario.begin(options.setup);
        std::signal(SIGABRT, on_abort); // libqtest has set its own
        for (std::uint64_t i = 0; i < options.rounds && Clock::now() < end; i++) {
            told->seed = options.same ? options.seed : options.seed + i;
            Random random(told->seed);
            play->round(random);
            if (testing::UnitTest::GetInstance()->Failed())
                throw Finding("a check has failed");
            told->rounds = i + 1;
        }
        _exit(0); // libqtest's end of a QEMU takes its time
    } catch (const Finding &finding) {
        tell(std::string(finding.what()) + "\n" + Guest::last_words());
    } catch (const std::exception &error) {
        tell(std::string("the test itself fails: ") + error.what() + "\n" + Guest::last_words());
    }
    _exit(1);
}

/// Waits for the child, as long as it goes from round to round. True when it found nothing.
bool wait_for(pid_t child)
{
    std::uint64_t seen = told->rounds;
    auto since = Clock::now();
    int status = 0;
    while (waitpid(child, &status, WNOHANG) != child) {
        if (told->rounds != seen) {
            seen = told->rounds;
            since = Clock::now();
        }
        if (Clock::now() - since > std::chrono::milliseconds(patience(round_limit_ms))) {
            tell("a round takes more than " + std::to_string(patience(round_limit_ms) / 1000) + " s\n");
            kill(-child, SIGKILL);
            waitpid(child, &status, 0);
            return false;
        }
        usleep(10'000);
    }
    if (WIFSIGNALED(status))
        tell(std::string("the test's process was ended by ") + strsignal(WTERMSIG(status)) + "\n");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void comment(const std::string &text)
{
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        std::printf("# %s\n", line.c_str());
}

std::string end_of(int file)
{
    constexpr off_t most = 2000;
    const off_t size = lseek(file, 0, SEEK_END);
    std::string text(static_cast<std::size_t>(std::min(size, most)), ' ');
    const ssize_t got = pread(file, text.data(), text.size(), size - static_cast<off_t>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return text;
}

/// How the finding is repeated: the same round again and again, as its outcome is a matter of luck.
std::string command_for(const Scenario &scenario, const Options &options)
{
    std::string command =
        options.setup.where == Where::Vfio ? "tests/races/run-in-lab" : "tests/races/run-races";
    if (options.setup.accel != "tcg")
        command += " --accel " + options.setup.accel;
    return command + " --scenario " + scenario.name + " --seed " + std::to_string(told->seed) +
           " --same --seconds 60";
}

bool run(unsigned number, const Scenario &scenario, const Options &options, double seconds)
{
    const auto begin = Clock::now();
    const auto end = options.seconds == 0
                         ? Clock::time_point::max()
                         : begin + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
    told->rounds = 0;
    told->seed = options.seed;
    told->finding[0] = 0;
    const int output = memfd_create("output", MFD_CLOEXEC); // GoogleTest's, libqtest's
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
        play(scenario, options, end);
    }
    const bool fine = wait_for(child);
    kill(-child, SIGKILL); // its QEMU
    const Seconds took = Clock::now() - begin;
    std::printf("%sok %u - %s (%s): %s\n", fine ? "" : "not ", number, scenario.name,
                options.setup.accel.c_str(), scenario.what);
    if (fine) {
        std::printf("# %" PRIu64 " rounds in %.1f s\n", std::uint64_t{told->rounds}, took.count());
    } else {
        std::printf("# found after %.1f s, in round %" PRIu64 "\n", took.count(), told->rounds + 1);
        comment(told->finding);
        comment(end_of(output));
        std::printf("# to repeat it: %s\n", command_for(scenario, options).c_str());
    }
    std::fflush(stdout);
    close(output);
    return fine;
}

std::vector<Scenario> chosen(const Options &options)
{
    std::vector<Scenario> some;
    for (const Scenario &one : scenarios()) {
        const auto &names = options.scenarios;
        const bool named = std::find(names.begin(), names.end(), one.name) != names.end();
        if (named || (names.empty() && (!one.needs_vfio || options.setup.where == Where::Vfio)))
            some.push_back(one);
    }
    return some;
}

int run_all(Options options)
{
    const auto some = chosen(options);
    const std::size_t count = some.size() * options.accels.size();
    unsigned number = 0;
    bool fine = true;
    told = static_cast<Progress *>(
        mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (told == MAP_FAILED) {
        std::printf("Bail out! no memory\n");
        return 1;
    }
    std::printf("1..%zu\n# seed %" PRIu64 "\n", count, options.seed);
    for (const std::string &accel : options.accels) {
        options.setup.accel = accel;
        for (const Scenario &one : some)
            fine &= run(++number, one, options, options.seconds / static_cast<double>(count));
    }
    return fine ? 0 : 1;
}

} // namespace
} // namespace vramlink::test

int main(int argc, char **argv)
{
    using namespace vramlink::test;
    int none = 1;
    testing::InitGoogleTest(&none, argv);
    auto &listeners = testing::UnitTest::GetInstance()->listeners();
    listeners.Append(new Failures); // GoogleTest deletes it
    return run_all(options_of(argc, argv));
}
