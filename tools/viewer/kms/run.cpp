// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/kms/run.hpp"

#include "tools/viewer/kms/screen.hpp"
#include "tools/viewer/kms/seat_input.hpp"
#include "tools/viewer/log.hpp"
#include "tools/viewer/session.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace vramlink {
namespace {

constexpr std::chrono::milliseconds seat_limit{10000};

/// The device at @p path, or the first card that works.
Result<std::unique_ptr<DrmDevice>> open_device(const std::string &path)
{
    if (!path.empty())
        return DrmDevice::open(libdrm_api(), path);
    constexpr int most_cards = 16;
    auto device = DrmDevice::open(libdrm_api(), "/dev/dri/card0");
    for (int card = 1; card < most_cards && !device; card++) {
        auto next = DrmDevice::open(libdrm_api(), fmt::format("/dev/dri/card{}", card));
        if (next)
            device = std::move(next);
    }
    return device;
}

/// What the user sits in front of. The device is closed before its seat is given back.
struct Place {
    std::unique_ptr<Seat> seat; ///< null: the picture alone
    std::unique_ptr<DrmDevice> device;
};

/// The device as the seat gives it.
Result<Place> sit_down(const std::string &path)
{
    auto seat = Seat::open(seat_limit);
    if (!seat)
        return std::unexpected(seat.error());
    auto fd = (*seat)->open_device(path);
    if (!fd)
        return std::unexpected(fd.error());
    auto device = DrmDevice::adopt(libdrm_api(), std::move(*fd), path);
    if (!device)
        return std::unexpected(device.error());
    return Place{std::move(*seat), std::move(*device)};
}

/// A picture without keyboard and pointer is worth something, so a seat that is not to be had is no error.
Result<Place> open_place(const Options &options)
{
    auto plain = open_device(options.kms);
    if (!plain)
        return std::unexpected(plain.error());
    if (options.no_input)
        return Place{nullptr, std::move(*plain)};
    // Closed first, and before libseat makes a process that would keep it: two descriptors are two clients,
    // of which one can drive the device.
    const std::string path = (*plain)->path();
    plain->reset();
    auto place = sit_down(path);
    if (place)
        return place;
    Log::warning("{}; the picture is shown, keyboard and pointer stay with the host", place.error().text);
    plain = DrmDevice::open(libdrm_api(), path);
    if (!plain)
        return std::unexpected(plain.error());
    return Place{nullptr, std::move(*plain)};
}

std::unique_ptr<SeatInput> listen(Seat &seat, Desk &desk)
{
    auto input = SeatInput::open(seat, desk);
    if (input)
        return std::move(*input);
    Log::warning("{}", input.error().text);
    return nullptr;
}

/// Another terminal's turn, and ours again. @p input may be null. All outlive the seat's next event.
void take_turns(Seat &seat, KmsScreens &screens, SeatInput *input, Session &session)
{
    seat.on_taken = [&screens, input] {
        if (input)
            input->sleep();
        screens.sleep();
    };
    seat.on_given = [&screens, input] {
        screens.wake();
        if (input)
            input->wake();
    };
    seat.on_lost = [&session](const std::string &why) {
        Log::error("{}", why);
        session.end(exit_no_display);
    };
    screens.desk().on_terminal = [&seat](unsigned terminal) { seat.switch_to(terminal); };
    screens.desk().on_quit = [&session] { session.end(exit_ok); };
}

int show(Place &place, const Options &options)
{
    auto card = KmsCard::open(*place.device);
    if (!card) {
        Log::error("{}", card.error().text);
        return exit_no_display;
    }
    KmsScreens screens(**card);
    Session session(options, {[&] { return screens.make(); }, [&] { return screens.monitors(); }});
    screens.on_plugged = [&] { session.monitors_changed(); };
    std::unique_ptr<SeatInput> input;
    if (place.seat) {
        input = listen(*place.seat, screens.desk());
        take_turns(*place.seat, screens, input.get(), session);
    }
    return session.run();
}

} // namespace

int run_kms(const Options &options)
{
    auto place = open_place(options);
    if (!place) {
        Log::error("{}", place.error().text);
        return exit_no_display;
    }
    return show(*place, options);
}

} // namespace vramlink
