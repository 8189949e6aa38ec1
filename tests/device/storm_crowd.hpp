// SPDX-License-Identifier: GPL-2.0-or-later
//
// The two that watch the guest during a storm: a vramlink-viewer on the host's display, and a consumer that
// checks every pixel (checking_consumer.h), each a process of its own. A second after both have joined a
// thread kills one of them, whatever it is doing; the test's thread starts it again.

#ifndef VRAMLINK_TESTS_DEVICE_STORM_CROWD_HPP
#define VRAMLINK_TESTS_DEVICE_STORM_CROWD_HPP

#include "tests/device/storm_frame.h"
#include "tests/device/viewer.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace vramlink::test {

/// A storm_board in memory that children share.
class Board {
  public:
    Board();
    ~Board();
    Board(const Board &) = delete;
    Board &operator=(const Board &) = delete;
    [[nodiscard]] storm_board *operator->() const { return board_; }
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_ = -1;
    storm_board *board_ = nullptr;
};

class CheckingConsumer {
  public:
    CheckingConsumer(Machine &machine, const Board &board);
    ~CheckingConsumer();
    CheckingConsumer(const CheckingConsumer &) = delete;
    CheckingConsumer &operator=(const CheckingConsumer &) = delete;
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// As Viewer::ended().
    [[nodiscard]] std::optional<int> ended();

    /// What the process runs; never returns.
    [[noreturn]] static void run(int display, int board, const char *device);

  private:
    pid_t pid_ = -1;
};

class Crowd {
  public:
    /// Both come; nobody is killed yet.
    Crowd(Machine &machine, const Board &board);
    /// All go.
    ~Crowd();
    Crowd(const Crowd &) = delete;
    Crowd &operator=(const Crowd &) = delete;

    void start_killing(unsigned seed);
    /// Returns when everybody is there again.
    void stop_killing();
    /// Replaces who was killed. One that has ended otherwise fails the test. To be called often.
    void tend();

    [[nodiscard]] const Viewer &viewer() const { return *viewer_; }
    [[nodiscard]] unsigned killed() const { return kills_; }

  private:
    void kill_now_and_then(unsigned seed);
    [[nodiscard]] bool complete() const;

    Machine &machine_;
    const Board &board_;
    std::mutex lock_; ///< of the two: a process is reaped and replaced, or killed
    std::unique_ptr<Viewer> viewer_;
    std::unique_ptr<CheckingConsumer> checker_;
    std::thread killer_;
    std::condition_variable stop_;
    bool stopping_ = false;
    std::uint32_t good_before_ = 0; ///< frames that had been checked when the last one was killed
    std::atomic<unsigned> kills_ = 0;
};

} // namespace vramlink::test

#endif
