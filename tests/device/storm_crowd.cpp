// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/storm_crowd.hpp"

#include "tests/device/checking_consumer.h"
#include "tests/device/consumer.hpp"

#include <gtest/gtest.h>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <string>

namespace vramlink::test {

namespace {

constexpr int viewer_turned_away = 3;           ///< docs/viewer.md
constexpr int display_fd = 103, board_fd = 104; ///< in the child

storm_board *map_board(int fd)
{
    void *map = mmap(nullptr, sizeof(storm_board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        std::abort();
    return static_cast<storm_board *>(map);
}

/// Or turned away: on a busy machine QEMU takes longer to let one in than that waits, and one that comes
/// before another has been let in ends the other's attempt (QEMU: ui/dbus.c, dbus_display_add_client()).
void expect_killed(const char *who, int status, int turned_away)
{
    EXPECT_TRUE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
                (WIFEXITED(status) && WEXITSTATUS(status) == turned_away))
        << who << " has ended with wait status " << status;
}

} // namespace

Board::Board() : fd_(memfd_create("storm-board", MFD_CLOEXEC))
{
    if (fd_ < 0 || ftruncate(fd_, sizeof(storm_board)) != 0)
        std::abort();
    board_ = map_board(fd_);
}

Board::~Board()
{
    munmap(board_, sizeof(storm_board));
    close(fd_);
}

CheckingConsumer::CheckingConsumer(Machine &machine, const Board &board)
{
    const int display = add_display_client(machine);
    posix_spawn_file_actions_t files{};
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, display, display_fd);
    posix_spawn_file_actions_adddup2(&files, board.fd(), board_fd);
    std::string self = "/proc/self/exe", mode = "--checking-consumer", device = Viewer::display_gpu();
    std::string first = std::to_string(display_fd), second = std::to_string(board_fd);
    std::array<char *, 6> argv{self.data(), mode.data(), first.data(), second.data(), device.data(), nullptr};
    if (display < 0 || posix_spawn(&pid_, self.c_str(), &files, nullptr, argv.data(), environ) != 0)
        ADD_FAILURE() << "no checking consumer";
    posix_spawn_file_actions_destroy(&files);
    close(display);
}

CheckingConsumer::~CheckingConsumer()
{
    if (pid_ <= 0)
        return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

std::optional<int> CheckingConsumer::ended()
{
    int status = 0;
    if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_)
        return std::nullopt;
    pid_ = -1;
    return status;
}

void CheckingConsumer::run(int display, int board, const char *device)
{
    checking_consumer_run(display, device, map_board(board));
    _exit(EXIT_FAILURE);
}

Crowd::Crowd(Machine &machine, const Board &board)
    : machine_(machine), board_(board), viewer_(std::make_unique<Viewer>()),
      checker_(std::make_unique<CheckingConsumer>(machine, board))
{
}

Crowd::~Crowd()
{
    if (killer_.joinable())
        stop_killing();
}

void Crowd::start_killing(unsigned seed)
{
    stopping_ = false;
    killer_ = std::thread(&Crowd::kill_now_and_then, this, seed);
}

void Crowd::stop_killing()
{
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
    }
    stop_.notify_all();
    killer_.join();
    tend();
}

bool Crowd::complete() const
{
    const Json stats = viewer_->stats();
    return viewer_->pid() > 0 && checker_->pid() > 0 && stats.is_object() &&
           stats.value("connected", false) && board_->good != good_before_;
}

void Crowd::kill_now_and_then(unsigned seed)
{
    constexpr std::chrono::milliseconds look_again(200);
    std::mt19937 random(seed);
    std::unique_lock guard(lock_);
    const auto stopped = [this] { return stopping_; };
    for (;;) {
        const std::chrono::milliseconds pause(800 + random() % 400);
        const bool viewers_turn = random() % 2 == 0;
        good_before_ = board_->good;
        while (!complete()) {
            if (stop_.wait_for(guard, look_again, stopped))
                return;
        }
        if (stop_.wait_for(guard, pause, stopped))
            return;
        const pid_t victim = viewers_turn ? viewer_->pid() : checker_->pid();
        if (victim > 0 && kill(victim, SIGKILL) == 0)
            ++kills_;
    }
}

void Crowd::tend()
{
    const std::lock_guard guard(lock_);
    if (const auto status = viewer_->ended()) {
        expect_killed("the viewer", *status, viewer_turned_away);
        viewer_ = std::make_unique<Viewer>();
    }
    if (const auto status = checker_->ended()) {
        expect_killed("the checking consumer", *status, EXIT_FAILURE);
        checker_ = std::make_unique<CheckingConsumer>(machine_, board_);
    }
}

} // namespace vramlink::test
