// SPDX-License-Identifier: GPL-2.0-or-later
//
// Seat: the user's place in front of the machine: its display device, its keyboards and pointers, and which
// virtual terminal has them; through libseat (logind, seatd, or as root by itself).
//
// The console's own keyboard handling is off while the seat is ours. When the user switches to another
// terminal the kernel takes the display device away from us, until the user comes back.
//
// Thread: the default main context's.

#ifndef VRAMLINK_TOOLS_VIEWER_KMS_SEAT_HPP
#define VRAMLINK_TOOLS_VIEWER_KMS_SEAT_HPP

#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

#include <glib.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

struct libseat;

namespace vramlink {

class Seat {
  public:
    /// Returns when the seat is ours; ETIMEDOUT: not within @p limit. Other errors are libseat's.
    static Result<std::unique_ptr<Seat>> open(std::chrono::milliseconds limit);
    Seat(const Seat &) = delete;
    Seat &operator=(const Seat &) = delete;
    /// Gives everything back that is still open.
    ~Seat();

    /// Opens a device of the seat. The descriptor works while the seat is ours: DRM devices may be driven,
    /// others are dead for good after that. The caller owns it, and calls forget() before it is closed,
    /// unless the seat goes first.
    Result<UniqueFd> open_device(const std::string &path);
    void forget(int fd);

    [[nodiscard]] const char *name() const;
    [[nodiscard]] bool is_ours() const { return ours_; }
    void switch_to(unsigned terminal);

    /// Another program wants the seat: let go of it before returning.
    std::function<void()> on_taken = [] {};
    std::function<void()> on_given = [] {};
    std::function<void(const std::string &)> on_lost = [](const std::string &) {};

  private:
    Seat() = default;
    struct Events;
    Result<void> wait(std::chrono::milliseconds limit);
    static gboolean on_event(gint fd, GIOCondition condition, gpointer self);

    libseat *seat_ = nullptr;
    std::map<int, int> devices_; ///< libseat's number of each descriptor
    bool ours_ = false;
    guint source_ = 0;
};

} // namespace vramlink

#endif
