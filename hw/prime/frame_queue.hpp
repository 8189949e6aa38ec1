// SPDX-License-Identifier: GPL-2.0-or-later
//
// FrameQueue: which frame goes to the screen next, and when the sender hears that it is there.
//
// At most one flip is under way. What arrives meanwhile is coalesced: the newest frame wins. Every update
// comes with a Completion; it runs when a flip that was started after the update has ended, when its frame
// can no longer reach the screen (replaced, dropped, refused), and at the latest when the queue dies. It runs
// once and is never forgotten, because the sender holds the guest's fence until then.
//
//     scanout(A) update(a) take()=A  flip_done()          a runs
//     … A in flight, update(a2), update(a3)               both wait; take() after flip_done() gives A again
//     … A in flight, scanout(B) update(b) scanout(C)      b runs: B will never be seen
//
// No system calls, no clock: the owner asks take() after every event. Thread: one at a time.

#ifndef VRAMLINK_HW_PRIME_FRAME_QUEUE_HPP
#define VRAMLINK_HW_PRIME_FRAME_QUEUE_HPP

#include "hw/prime/showable.hpp"

#include <functional>
#include <utility>
#include <vector>

namespace vramlink {

/// Something to run exactly once; running it late (by destruction) is the fallback.
class Completion {
  public:
    Completion() = default;
    explicit Completion(std::function<void()> action) : action_(std::move(action)) {}
    Completion(Completion &&other) noexcept : action_(std::exchange(other.action_, nullptr)) {}
    Completion &operator=(Completion &&other) noexcept
    {
        if (this != &other) {
            run();
            action_ = std::exchange(other.action_, nullptr);
        }
        return *this;
    }
    Completion(const Completion &) = delete;
    Completion &operator=(const Completion &) = delete;
    ~Completion() { run(); }

    void run() noexcept
    {
        if (auto action = std::exchange(action_, nullptr))
            action();
    }

  private:
    std::function<void()> action_;
};

class FrameQueue {
  public:
    /// From now on @p buffer is the frame. It is not shown before update() or overdue(): the sender announces
    /// a frame first and then says that its content is complete.
    void scanout(FrameRef buffer);
    /// The content of the current frame is complete.
    void update(Completion done);
    /// No update came for the current frame: show it as it is. False if there is nothing that waits for one.
    bool overdue();

    /// The frame to show now, if there is one and no flip is under way; a flip counts as under way from here
    /// on.
    FrameRef take();
    /// The flip that take() started has ended: its frame is on the screen.
    void flip_done();
    /// The flip that take() started was refused, and @p buffer shows the same content: it is to be taken
    /// next, and whoever waited for the flip waits for that.
    void retry(FrameRef buffer);
    /// The flip that take() started was refused or never ended.
    void flip_failed();
    /// Forgets every frame. All Completions run before it returns.
    void clear();

    /// No frame is announced, under way or shown.
    [[nodiscard]] bool empty() const { return !wanted_ && !in_flight_ && !on_screen_; }
    [[nodiscard]] bool in_flight() const { return in_flight_ != nullptr; }
    [[nodiscard]] const FrameRef &on_screen() const { return on_screen_; }

  private:
    static void complete(std::vector<Completion> &waiting);

    FrameRef wanted_, in_flight_, on_screen_;
    bool dirty_ = false; ///< wanted_ must go to the screen (again)
    std::vector<Completion> waiting_, waiting_in_flight_;
};

} // namespace vramlink

#endif
