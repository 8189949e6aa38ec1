// SPDX-License-Identifier: GPL-2.0-or-later
//
// Probe: the benchmark's end of qemu_probe.c. SyscallCounter: how many system calls a thread of QEMU makes.

#ifndef VRAMLINK_TESTS_BENCH_PROBE_HPP
#define VRAMLINK_TESTS_BENCH_PROBE_HPP

#include "tests/bench/qemu_probe.h"
#include "tests/device/machine.hpp"

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace vramlink::test {

class Probe {
  public:
    Probe();
    ~Probe();
    Probe(const Probe &) = delete;
    Probe &operator=(const Probe &) = delete;

    /// QEMU is to be started with it.
    void add_to(Machine::Options &options) const;
    /// Clears what was counted, and counts from now on.
    void start();
    /// Counts again, from where stop() left it.
    void go_on();
    void stop();
    [[nodiscard]] const qemu_probe &seen() const { return *page_; }

  private:
    std::string path_;
    qemu_probe *page_;
};

/// Counts from construction to stop(), by ptrace of that thread alone: QEMU's main loop, of which the plugin
/// is a part.
class SyscallCounter {
  public:
    explicit SyscallCounter(Machine &machine);
    ~SyscallCounter();
    SyscallCounter(const SyscallCounter &) = delete;
    SyscallCounter &operator=(const SyscallCounter &) = delete;

    /// @returns how many there were.
    std::uint64_t stop();

  private:
    void trace();

    Machine &machine_;
    pid_t target_;
    std::atomic<bool> attached_{false};
    std::atomic<bool> ending_{false};
    std::atomic<std::uint64_t> calls_{0};
    std::thread tracer_; ///< ptrace's requests must come from one thread
};

} // namespace vramlink::test

#endif
