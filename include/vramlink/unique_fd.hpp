// SPDX-License-Identifier: GPL-2.0-or-later
//
// UniqueFd: sole owner of one file descriptor.
//
// Ownership: a UniqueFd passed by value is taken, even when the call fails; a reference or a plain int from
// get() is borrowed and lives only as long as its owner. Closing happens exactly once, in the destructor, in
// reset() and on move-assignment (which releases what it held before). Any thread; no locking.

#ifndef VRAMLINK_UNIQUE_FD_HPP
#define VRAMLINK_UNIQUE_FD_HPP

#include <unistd.h>

#include <utility>

namespace vramlink {

class UniqueFd {
  public:
    UniqueFd() noexcept = default;
    /// Takes ownership of @p fd; a negative value means "none".
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd &&other) noexcept : fd_(other.release()) {}
    UniqueFd &operator=(UniqueFd &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    UniqueFd(const UniqueFd &) = delete;
    UniqueFd &operator=(const UniqueFd &) = delete;
    ~UniqueFd() { reset(); }

    /// Borrows the descriptor; -1 when there is none.
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
    explicit operator bool() const noexcept { return valid(); }

    /// Gives the descriptor up; the caller must close it.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    /// Closes what is held, then owns @p fd.
    void reset(int fd = -1) noexcept
    {
        const int old = std::exchange(fd_, fd);
        if (old >= 0)
            ::close(old);
    }

  private:
    int fd_ = -1;
};

} // namespace vramlink

#endif
