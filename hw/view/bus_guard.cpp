// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/view/bus_guard.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace vramlink {
namespace {

/// Signals that are kept at most; the kernel itself merges those that are no memory errors.
constexpr size_t max_kept = 8;

struct State {
    GuardedRange *ranges = nullptr;
    unsigned depth = 0;
    bool armed = false;
    struct sigaction before {};
    sigset_t mask{}; ///< of the thread, before
    std::array<siginfo_t, max_kept> kept{};
    volatile std::sig_atomic_t kept_count = 0;
    uint64_t losses = 0;
};

State state;
thread_local bool guarded = false; // initial-exec: this is read in a signal handler

bool is_bad_load(const siginfo_t &info)
{
    return info.si_code == BUS_ADRERR || info.si_code == BUS_ADRALN || info.si_code == BUS_OBJERR ||
           info.si_code == BUS_MCEERR_AR;
}

sigset_t only_bus_errors()
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGBUS);
    return set;
}

/// The load is repeated, and ends the process as it would have without us.
void die_of_it()
{
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL; // NOLINT(cppcoreguidelines-pro-type-union-access)
    ::sigaction(SIGBUS, &standard, nullptr);
}

// NOLINTBEGIN(cppcoreguidelines-pro-type-union-access): struct sigaction is one
void pass_on(int number, siginfo_t *info, void *context)
{
    const struct sigaction &before = state.before;
    if ((before.sa_flags & SA_SIGINFO) != 0)
        before.sa_sigaction(number, info, context);
    else if (before.sa_handler == SIG_DFL)
        die_of_it();
    else if (before.sa_handler != SIG_IGN)
        before.sa_handler(number);
}
// NOLINTEND(cppcoreguidelines-pro-type-union-access)

} // namespace

void GuardedRange::forget() noexcept
{
    GuardedRange **at = &state.ranges;
    while (*at != nullptr && *at != this)
        at = &(*at)->next_;
    if (*at == this)
        *at = next_;
}

void GuardedRange::watch(std::byte *first, uint64_t length) noexcept
{
    first_ = first;
    length_ = length;
    next_ = state.ranges;
    state.ranges = this;
}

bool BusGuard::replace(const void *address) noexcept
{
    const auto *at = static_cast<const std::byte *>(address);
    for (GuardedRange *range = state.ranges; range != nullptr; range = range->next_) {
        if (at < range->first_ || at >= range->first_ + range->length_)
            continue;
        if (::mmap(range->first_, range->length_, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                   0) == MAP_FAILED)
            return false;
        range->lost_ = 1;
        ++state.losses;
        return true;
    }
    return false;
}

void BusGuard::on_bus_error(int number, siginfo_t *info, void *context)
{
    const int saved = errno;
    if (!guarded) {
        pass_on(number, info, context);
    } else if (is_bad_load(*info)) {
        if (info->si_code != BUS_ADRERR || !replace(info->si_addr))
            die_of_it();
    } else if (const auto count = static_cast<size_t>(state.kept_count); count < max_kept) {
        state.kept[count] = *info; // NOLINT(cppcoreguidelines-pro-bounds-constant-array-index)
        state.kept_count = state.kept_count + 1;
    }
    errno = saved;
}

void BusGuard::arm() noexcept
{
    struct sigaction ours {};
    ours.sa_sigaction = on_bus_error; // NOLINT(cppcoreguidelines-pro-type-union-access)
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    if (::sigaction(SIGBUS, &ours, &state.before) != 0)
        return;
    guarded = state.armed = true;
    const sigset_t set = only_bus_errors();
    ::pthread_sigmask(SIG_UNBLOCK, &set, &state.mask);
}

void BusGuard::disarm() noexcept
{
    ::pthread_sigmask(SIG_SETMASK, &state.mask, nullptr);
    guarded = state.armed = false;
    ::sigaction(SIGBUS, &state.before, nullptr);
    for (size_t i = 0; i < static_cast<size_t>(state.kept_count); ++i) // to this thread: it had them before
        ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::gettid(), SIGBUS,
                  &state.kept[i]); // NOLINT(cppcoreguidelines-pro-bounds-constant-array-index)
    state.kept_count = 0;
}

void BusGuard::enter() noexcept
{
    ++state.depth;
    if (!state.armed && state.ranges != nullptr)
        arm();
}

void BusGuard::leave() noexcept
{
    if (--state.depth == 0 && state.armed)
        disarm();
}

bool BusGuard::needed() noexcept
{
    return state.ranges != nullptr;
}

void BusGuard::count_loss() noexcept
{
    ++state.losses;
}

uint64_t BusGuard::losses() noexcept
{
    return state.losses;
}

} // namespace vramlink
