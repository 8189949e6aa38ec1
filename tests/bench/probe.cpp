// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/probe.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace vramlink::test {

Probe::Probe() : path_(std::filesystem::temp_directory_path() / "vramlink-probe-XXXXXX")
{
    const int fd = mkstemp(path_.data());
    void *page = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof(qemu_probe)) == 0)
        page = mmap(nullptr, sizeof(qemu_probe), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        std::perror(path_.c_str());
        std::exit(1);
    }
    close(fd);
    page_ = static_cast<qemu_probe *>(page);
}

Probe::~Probe()
{
    munmap(page_, sizeof(qemu_probe));
    std::filesystem::remove(path_);
}

void Probe::add_to(Machine::Options &options) const
{
    options.preload = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libqemu-probe.so";
    options.environment = "VRAMLINK_PROBE=" + path_;
}

void Probe::start()
{
    *page_ = {};
    go_on();
}

void Probe::go_on()
{
    std::atomic_thread_fence(std::memory_order_seq_cst);
    page_->on = 1;
}

void Probe::stop()
{
    page_->on = 0;
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

SyscallCounter::SyscallCounter(Machine &machine)
    : machine_(machine), target_(machine.pid()), tracer_([this] { trace(); })
{
    while (!attached_)
        usleep(1000);
}

SyscallCounter::~SyscallCounter()
{
    if (tracer_.joinable())
        (void)stop();
}

std::uint64_t SyscallCounter::stop()
{
    ending_ = true;
    std::uint8_t byte = 0;
    vm_read(machine_.raw(), 0, &byte, 1); // wakes QEMU, which stops at its next call, which wakes the tracer
    tracer_.join();
    return calls_;
}

void SyscallCounter::trace()
{
    if (ptrace(PTRACE_SEIZE, target_, nullptr, PTRACE_O_TRACESYSGOOD) != 0) {
        std::perror("ptrace(PTRACE_SEIZE)");
        std::exit(1);
    }
    ptrace(PTRACE_INTERRUPT, target_, nullptr, nullptr);
    int status = 0;
    waitpid(target_, &status, __WALL);
    ptrace(PTRACE_SYSCALL, target_, nullptr, nullptr);
    attached_ = true;
    std::uint64_t stops = 0;
    while (waitpid(target_, &status, __WALL) == target_ && WIFSTOPPED(status) && !ending_) {
        const bool syscall_stop = WSTOPSIG(status) == (SIGTRAP | 0x80);
        const bool event_stop = status >> 16 == PTRACE_EVENT_STOP;
        stops += syscall_stop ? 1 : 0;
        const long signal = syscall_stop || event_stop ? 0 : WSTOPSIG(status);
        // NOLINTNEXTLINE(performance-no-int-to-ptr): ptrace takes the number in a pointer
        ptrace(PTRACE_SYSCALL, target_, nullptr, reinterpret_cast<void *>(signal));
    }
    ptrace(PTRACE_DETACH, target_, nullptr, nullptr);
    calls_ = (stops + 1) / 2; // entry and exit
}

} // namespace vramlink::test
