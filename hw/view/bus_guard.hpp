// SPDX-License-Identifier: GPL-2.0-or-later
//
// BusGuard: reading memory that the host may take away at any moment, without dying of it.
//
// A load from a mapping whose memory was revoked is SIGBUS, and the process is the VM. What the guest does to
// its GPU is seen before it happens; what the host does (a driver's error recovery, somebody else with the
// same device) is not, and may fall between two loads. So views register their mapping (GuardedRange), and
// whoever reads one does it inside a BusGuard: a SIGBUS in a registered range puts zeros in the place of all
// of it and notes that it is lost; the load goes on. Nothing is jumped over, so any code may read.
//
// Others' handling of SIGBUS stays what it is. QEMU blocks it in the thread of its main loop and takes memory
// errors that concern nobody in particular from a signalfd; a SIGBUS that this thread gets inside a guard and
// that is no bad load is queued again when the guard ends. A bad load elsewhere is as deadly as without a
// guard, and signals of other threads go to the handler that was there before.
//
// Cost: four system calls for the outermost guard. Thread: the main loop; one thread at a time.

#ifndef VRAMLINK_HW_VIEW_BUS_GUARD_HPP
#define VRAMLINK_HW_VIEW_BUS_GUARD_HPP

#include <csignal>
#include <cstddef>
#include <cstdint>

namespace vramlink {

/// A mapping that may be lost; whole pages. Registered from construction to destruction, during which it
/// stays mapped. Does not move.
class GuardedRange {
  public:
    GuardedRange() noexcept = default; ///< registers nothing
    GuardedRange(const GuardedRange &) = delete;
    GuardedRange &operator=(const GuardedRange &) = delete;
    ~GuardedRange() { forget(); }

    /// Once.
    void watch(std::byte *first, uint64_t length) noexcept;
    /// It is no such mapping any more.
    void forget() noexcept;
    /// It reads as zeros now: the memory behind it did not answer.
    [[nodiscard]] bool lost() const noexcept { return lost_ != 0; }

  private:
    friend class BusGuard;
    std::byte *first_ = nullptr;
    uint64_t length_ = 0;
    volatile std::sig_atomic_t lost_ = 0;
    GuardedRange *next_ = nullptr;
};

/// May be nested. Costs next to nothing while no range is registered.
class BusGuard {
  public:
    BusGuard() noexcept { enter(); }
    ~BusGuard() { leave(); }
    BusGuard(const BusGuard &) = delete;
    BusGuard &operator=(const BusGuard &) = delete;

    /// The same where begin and end are not in one scope.
    static void enter() noexcept;
    static void leave() noexcept;

    /// Whether any range is registered.
    [[nodiscard]] static bool needed() noexcept;
    /// How often memory has not answered since the process began.
    [[nodiscard]] static uint64_t losses() noexcept;
    /// It did not answer a system call.
    static void count_loss() noexcept;

  private:
    friend class GuardedRange;
    static void on_bus_error(int number, siginfo_t *info, void *context);
    static bool replace(const void *address) noexcept;
    static void arm() noexcept;
    static void disarm() noexcept;
};

} // namespace vramlink

#endif
