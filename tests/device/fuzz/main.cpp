// SPDX-License-Identifier: GPL-2.0-or-later
//
// device-fuzz: a random guest on the real device. A stock QEMU with the plugin is driven through qtest:
// streams of random and spoilt commands on both queues, BARs that move and vanish under the blobs,
// hot-unplug, resets, screendumps, D-Bus consumers that come, hang and go. After each stream QEMU lives, its
// statistics agree with its answers, a valid picture is shown pixel by pixel, and descriptors and mappings
// are where they were.
//
// libFuzzer is the wrong shape for this: the code under test is in another process, a command costs a
// millisecond, and most of the state lies in QEMU. So: a generator with a seed. One QEMU serves a row of
// streams; a finding names the first stream of its QEMU and how many to run, which repeats it.
//
// The environment is that of device-tests (docs/testing.md). Exit code: 0 nothing found, 1 a finding, 2
// usage.

#include "tests/device/fuzz/world.hpp"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace vramlink::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Wish {
    std::uint64_t seed = 1;
    std::uint64_t streams = ~std::uint64_t{0};
    int seconds = 0; ///< 0: until all streams have run
    std::uint64_t actions = 60;
    std::uint64_t streams_per_qemu = 20;
    World::Options world{};
};

/// Shared with the child: the stream that runs.
struct Progress {
    volatile std::uint64_t stream;
};

constexpr int stream_limit_ms = 120'000;

[[noreturn]] void usage()
{
    std::fputs(
        "usage: device-fuzz [--seed N] [--streams N] [--seconds S] [--actions N] [--per-qemu N] [--trace]\n"
        "                   [--vfio] [--preload FILE] [--qemu-env NAME=VALUE] [--sanitized]\n",
        stderr);
    std::exit(2);
}

Wish wish_of(int argc, char **argv)
{
    Wish wish;
    for (int i = 1; i < argc; i++) {
        const std::string name = argv[i];
        const auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : (usage(), ""); };
        if (name == "--seed")
            wish.seed = std::strtoull(value().c_str(), nullptr, 10);
        else if (name == "--streams")
            wish.streams = std::strtoull(value().c_str(), nullptr, 10);
        else if (name == "--seconds")
            wish.seconds = std::atoi(value().c_str());
        else if (name == "--actions")
            wish.actions = std::strtoull(value().c_str(), nullptr, 10);
        else if (name == "--per-qemu")
            wish.streams_per_qemu = std::strtoull(value().c_str(), nullptr, 10);
        else if (name == "--preload")
            wish.world.preload = value();
        else if (name == "--qemu-env")
            wish.world.environment += (wish.world.environment.empty() ? "" : " ") + value();
        else if (name == "--vfio")
            wish.world.where = Where::Vfio;
        else if (name == "--trace")
            wish.world.trace = true;
        else if (name == "--sanitized")
            wish.world.sanitized = true;
        else
            usage();
    }
    if (wish.seconds == 0 && wish.streams == ~std::uint64_t{0})
        usage();
    return wish;
}

/// For the handler: libqtest aborts when QEMU is gone, and what QEMU said last is the finding.
World *running = nullptr;

void tell_last_words(int)
{
    if (running != nullptr)
        running->tell_messages();
    std::signal(SIGABRT, SIG_DFL);
    std::abort();
}

/// In the child: the streams [first, first + count) on one QEMU.
[[noreturn]] void run_streams(const Wish &wish, std::uint64_t first, std::uint64_t count, Progress &progress)
{
    {
        World world(wish.world);
        running = &world;
        std::signal(SIGABRT, tell_last_words);
        for (std::uint64_t stream = first; stream < first + count; stream++) {
            progress.stream = stream;
            if (wish.world.trace)
                std::fprintf(stderr, "stream %llu\n", static_cast<unsigned long long>(stream));
            Random random(stream);
            for (std::uint64_t i = 0; i < wish.actions; i++)
                world.act(random);
            world.home();
            if (testing::UnitTest::GetInstance()->Failed())
                _exit(1);
        }
        running = nullptr;
    }
    _exit(testing::UnitTest::GetInstance()->Failed() ? 1 : 0);
}

/// Waits for the child, as long as it goes from stream to stream. True when it found nothing.
bool wait_for(pid_t child, const Progress &progress)
{
    std::uint64_t seen = progress.stream;
    auto since = Clock::now();
    int status = 0;
    for (;;) {
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        const auto now = Clock::now();
        if (progress.stream != seen) {
            seen = progress.stream;
            since = now;
        }
        if (now - since > std::chrono::milliseconds(patience(stream_limit_ms))) {
            std::fprintf(stderr, "a stream takes more than %d ms\n", patience(stream_limit_ms));
            kill(-child, SIGKILL);
            waitpid(child, &status, 0);
            return false;
        }
        usleep(20'000);
    }
}

int fuzz(const Wish &wish)
{
    auto *progress = static_cast<Progress *>(
        mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    const auto end = Clock::now() + std::chrono::seconds(wish.seconds);
    std::uint64_t done = 0;
    while (done < wish.streams && (wish.seconds == 0 || Clock::now() < end)) {
        const std::uint64_t first = wish.seed + done;
        const std::uint64_t count = std::min(wish.streams_per_qemu, wish.streams - done);
        progress->stream = first;
        const pid_t child = fork();
        if (child == 0) {
            setpgid(0, 0);
            run_streams(wish, first, count, *progress);
        }
        if (!wait_for(child, *progress)) {
            kill(-child, SIGKILL); // its QEMU
            const std::uint64_t from_there = progress->stream - first + 1;
            std::printf("a finding in stream %" PRIu64 "; to repeat it: tests/device/run-fuzz --seed %" PRIu64
                        " --streams %" PRIu64 " --actions %" PRIu64 " --per-qemu %" PRIu64 " --trace\n",
                        progress->stream, first, from_there, wish.actions, count);
            return 1;
        }
        done += count;
    }
    std::printf("%llu streams of %llu actions, nothing found\n", static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(wish.actions));
    return 0;
}

} // namespace
} // namespace vramlink::test

int main(int argc, char **argv)
{
    int none = 1;
    testing::InitGoogleTest(&none, argv);
    return vramlink::test::fuzz(vramlink::test::wish_of(argc, argv));
}
