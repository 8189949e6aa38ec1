// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/races/guest.hpp"

#include "tests/races/finding.hpp"
#include "vramlink/unique_fd.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace fs = std::filesystem;

namespace vramlink::test {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::vector<Guest *> living;

constexpr int start_limit_ms = 60'000;
constexpr int halt_limit_ms = 20'000;

static_assert(sizeof(race_page) <= 64 << 10);

double seconds_since(Clock::time_point begin)
{
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

Machine::Options machine_options(const Setup &setup, const Guest::Options &wish)
{
    auto options = ground_options(setup.where);
    if (!wish.devices.empty())
        options.devices = wish.devices;
    options.devices += " -smp " + std::to_string(wish.cpus) + " -bios " + setup.bios;
    options.gpu = wish.gpu;
    options.display = wish.display;
    options.machine = wish.machine;
    options.accel = setup.accel;
    options.preload = setup.guard;
    options.environment = setup.environment;
    return options;
}

/// QEMU's memfd of the machine's RAM, the one with that size. A guest address is an offset in it.
std::uint8_t *map_ram(pid_t pid)
{
    for (const auto &entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        std::error_code gone;
        struct stat status {};
        if (fs::read_symlink(entry.path(), gone).string().find("memfd:") == std::string::npos)
            continue;
        const UniqueFd fd(open(entry.path().c_str(), O_RDWR | O_CLOEXEC));
        if (!fd || fstat(fd.get(), &status) != 0 || status.st_size != off_t{Machine::ram_size})
            continue;
        void *map = mmap(nullptr, Machine::ram_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
        if (map != MAP_FAILED)
            return static_cast<std::uint8_t *>(map);
    }
    throw std::runtime_error("QEMU's RAM cannot be mapped");
}

/// CPU time (Linux: Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat).
double main_thread_seconds(pid_t pid)
{
    std::ifstream file(fmt::format("/proc/{0}/task/{0}/schedstat", pid));
    std::uint64_t nanoseconds = 0;
    file >> nanoseconds;
    return static_cast<double>(nanoseconds) / 1e9;
}

/// Sets the page's stop flag after a time, whatever the main thread waits for meanwhile.
class Stopper {
  public:
    Stopper(volatile std::uint32_t &stop, milliseconds after)
        : thread_([this, &stop, after] {
              std::unique_lock lock(mutex_);
              if (!called_off_.wait_for(lock, after, [this] { return done_; }))
                  stop = 1;
          })
    {
    }
    ~Stopper()
    {
        {
            const std::lock_guard lock(mutex_);
            done_ = true;
        }
        called_off_.notify_one();
        thread_.join();
    }
    Stopper(const Stopper &) = delete;
    Stopper &operator=(const Stopper &) = delete;

  private:
    std::mutex mutex_;
    std::condition_variable called_off_;
    bool done_ = false;
    std::thread thread_;
};

} // namespace

Guest::Guest(const Setup &setup, const Options &options)
    : machine(machine_options(setup, options)), ram_(map_ram(machine.pid()))
{
    living.push_back(this);
    page().cpus = options.cpus;
    machine.qmp({{"execute", "cont"}});
    const auto begin = Clock::now();
    for (unsigned i = 0; i < options.cpus;) {
        if (page().cpu[i].ready) {
            i++;
            continue;
        }
        check_alive();
        if (seconds_since(begin) * 1000 > patience(start_limit_ms))
            throw std::runtime_error(fmt::format("vCPU {} of the hostile guest has not started for {} s", i,
                                                 patience(start_limit_ms) / 1000));
        std::this_thread::sleep_for(milliseconds(1));
    }
    machine.qmp({{"execute", "stop"}});
}

Guest::~Guest()
{
    std::erase(living, this);
    munmap(ram_, Machine::ram_size);
}

void Guest::prefer()
{
    constexpr int nice = -15;
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(machine.pid()), nice); // the main thread
    for (const Json &cpu : machine.qmp({{"execute", "query-cpus-fast"}}))
        (void)setpriority(PRIO_PROCESS, cpu.value("thread-id", id_t{0}), nice);
}

/// "" while QEMU runs.
std::string Guest::end()
{
    siginfo_t info{};
    // Its exit code stays for libqtest, if that has not seen it yet.
    if (waitid(P_PID, static_cast<id_t>(machine.pid()), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
        return "QEMU has ended";
    if (info.si_pid == 0)
        return "";
    if (info.si_code == CLD_EXITED)
        return fmt::format("QEMU has ended with exit code {}", info.si_status);
    return fmt::format("QEMU has ended by signal {} ({})", info.si_status, strsignal(info.si_status));
}

void Guest::check_alive()
{
    const std::string how = end();
    if (!how.empty())
        throw Finding(how);
}

std::string Guest::last_words()
{
    constexpr int steps = 50;
    constexpr auto step = milliseconds(100); // a socket closes before its process has ended
    std::string words;
    for (int i = 0; i < steps && std::all_of(living.begin(), living.end(),
                                             [](Guest *guest) { return guest->end().empty(); });
         i++)
        std::this_thread::sleep_for(step);
    for (Guest *guest : living) {
        const std::string how = guest->end(), said = guest->machine.new_messages();
        words += how.empty() ? "" : how + "\n";
        words += said.empty() ? "" : "QEMU said: " + said;
    }
    return words;
}

void Guest::load(const std::vector<Program> &programs, std::uint32_t random)
{
    page().config_lock = 0;
    for (auto &arrived : page().arrived)
        arrived = 0;
    for (std::size_t i = 0; i < programs.size(); i++) {
        auto &cpu = page().cpu[i];
        const auto &ops = programs[i].ops();
        std::copy(ops.begin(), ops.end(), std::begin(cpu.program));
        cpu.program[ops.size()] = {RACE_END, 0, 0, 0, 0};
        cpu.random = (random + static_cast<std::uint32_t>(i) * 0x9e3779b9) | 1;
        for (auto *result : {&cpu.answers, &cpu.other, &cpu.tallied, &cpu.lost, &cpu.seen, &cpu.checked})
            *result = 0;
    }
    page().stop = 0;
    __sync_synchronize();
    for (std::size_t i = 0; i < programs.size(); i++)
        page().cpu[i].go = page().cpu[i].go + 1;
}

void Guest::begin(const std::vector<Program> &programs, std::uint32_t random)
{
    load(programs, random);
    machine.qmp({{"execute", "cont"}});
}

bool Guest::all_done(std::size_t count)
{
    return std::all_of(std::begin(page().cpu), std::begin(page().cpu) + count,
                       [](const race_cpu &cpu) { return cpu.done == cpu.go; });
}

void Guest::ask(Trips &trips)
{
    const auto begin = Clock::now();
    const double computed = main_thread_seconds(machine.pid());
    machine.qmp({{"execute", "query-status"}});
    trips.count++;
    trips.longest = std::max(trips.longest, seconds_since(begin));
    trips.busiest = std::max(trips.busiest, main_thread_seconds(machine.pid()) - computed);
}

/// Every vCPU comes back soon from what it does, as QEMU carries it out.
void Guest::halt(std::size_t count)
{
    page().stop = 1;
    const auto begin = Clock::now();
    while (!all_done(count)) {
        check_alive();
        if (seconds_since(begin) * 1000 > patience(halt_limit_ms)) {
            std::string where;
            for (std::size_t i = 0; i < count; i++) {
                const auto &cpu = page().cpu[i];
                if (cpu.done != cpu.go)
                    where += fmt::format(" vCPU {} in its op {};", i, std::uint32_t{cpu.at});
            }
            throw Finding(fmt::format("QEMU has not come back to the guest for {} s:{}",
                                      patience(halt_limit_ms) / 1000, where));
        }
        std::this_thread::sleep_for(milliseconds(1));
    }
    machine.qmp({{"execute", "stop"}});
}

Guest::Ran Guest::run(const std::vector<Program> &programs, std::uint32_t random, int limit_ms,
                      int qmp_pause_ms)
{
    constexpr auto step = std::chrono::microseconds(200);
    Ran ran{false, {}};
    begin(programs, random);
    {
        const Stopper stopper(page().stop, milliseconds(limit_ms));
        auto asked = Clock::now();
        while (!page().stop && !all_done(programs.size())) {
            check_alive();
            if (Clock::now() - asked >= milliseconds(qmp_pause_ms)) {
                ask(ran.qmp);
                asked = Clock::now();
            }
            std::this_thread::sleep_for(step);
        }
    }
    ran.stopped = page().stop != 0;
    halt(programs.size());
    if (ran.qmp.longest * 1000 > patience(qmp_limit_ms))
        throw Finding(fmt::format("QMP was silent for {:.2f} s while the guest ran; the limit is {} ms",
                                  ran.qmp.longest, patience(qmp_limit_ms)));
    return ran;
}

} // namespace vramlink::test
