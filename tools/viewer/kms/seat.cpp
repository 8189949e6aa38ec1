// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/kms/seat.hpp"

#include "tools/viewer/log.hpp"

extern "C" {
#include <libseat.h>
}
#include <glib-unix.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vramlink {

struct Seat::Events {
    static void enable(libseat *, void *own)
    {
        auto *seat = static_cast<Seat *>(own);
        seat->ours_ = true;
        seat->on_given();
    }
    static void disable(libseat *library, void *own)
    {
        auto *seat = static_cast<Seat *>(own);
        seat->ours_ = false;
        seat->on_taken();
        libseat_disable_seat(library);
    }
};

Result<std::unique_ptr<Seat>> Seat::open(std::chrono::milliseconds limit)
{
    static constexpr libseat_seat_listener listener{&Events::enable, &Events::disable};
    libseat_set_log_level(LIBSEAT_LOG_LEVEL_SILENT); // it tries one way after the other
    std::unique_ptr<Seat> seat(new Seat);
    seat->seat_ = libseat_open_seat(const_cast<libseat_seat_listener *>(&listener), seat.get());
    if (!seat->seat_)
        return fail(errno ? errno : ENODEV,
                    fmt::format("no seat: {}", std::strerror(errno ? errno : ENODEV)));
    if (const auto given = seat->wait(limit); !given)
        return std::unexpected(given.error());
    seat->source_ = g_unix_fd_add(libseat_get_fd(seat->seat_), G_IO_IN, &Seat::on_event, seat.get());
    return seat;
}

Result<void> Seat::wait(std::chrono::milliseconds limit)
{
    using Clock = std::chrono::steady_clock;
    const auto until = Clock::now() + limit;
    while (!ours_) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0)
            return fail(ETIMEDOUT, fmt::format("{} is not ours within {} ms: another program has it", name(),
                                               limit.count()));
        if (libseat_dispatch(seat_, static_cast<int>(left)) < 0 && errno != EINTR)
            return fail(errno, fmt::format("{}: {}", name(), std::strerror(errno)));
    }
    return {};
}

Seat::~Seat()
{
    if (source_)
        g_source_remove(source_);
    for (const auto &[fd, number] : devices_)
        libseat_close_device(seat_, number);
    if (seat_)
        libseat_close_seat(seat_);
}

Result<UniqueFd> Seat::open_device(const std::string &path)
{
    int fd = -1;
    const int number = libseat_open_device(seat_, path.c_str(), &fd);
    if (number < 0)
        return fail(errno, fmt::format("{} does not give {}: {}", name(), path, std::strerror(errno)));
    devices_[fd] = number;
    return UniqueFd(fd);
}

void Seat::forget(int fd)
{
    const auto found = devices_.find(fd);
    if (found == devices_.end())
        return;
    libseat_close_device(seat_, found->second);
    devices_.erase(found);
}

const char *Seat::name() const
{
    return libseat_seat_name(seat_);
}

void Seat::switch_to(unsigned terminal)
{
    if (libseat_switch_session(seat_, static_cast<int>(terminal)) < 0)
        Log::info("{} does not switch to terminal {}: {}", name(), terminal, std::strerror(errno));
}

gboolean Seat::on_event(gint, GIOCondition, gpointer self)
{
    auto *seat = static_cast<Seat *>(self);
    if (libseat_dispatch(seat->seat_, 0) >= 0 || errno == EINTR || errno == EAGAIN)
        return G_SOURCE_CONTINUE;
    seat->source_ = 0;
    seat->on_lost(fmt::format("{}: {}", seat->name(), std::strerror(errno)));
    return G_SOURCE_REMOVE;
}

} // namespace vramlink
