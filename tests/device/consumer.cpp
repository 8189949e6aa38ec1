// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/consumer.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace vramlink::test {

int add_display_client(Machine &machine)
{
    std::array<int, 2> pair{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
        return -1;
    const Json getfd{{"execute", "getfd"}, {"arguments", {{"fdname", "display"}}}};
    std::free(vm_qmp_fd(machine.raw(), getfd.dump().c_str(), pair[1]));
    close(pair[1]);
    machine.qmp({{"execute", "add_client"},
                 {"arguments", {{"protocol", "@dbus-display"}, {"fdname", "display"}, {"skipauth", true}}}});
    return pair[0];
}

Consumer connect_consumer(Machine &machine)
{
    const int display = add_display_client(machine);
    return {display >= 0 ? stuck_consumer_new(display) : nullptr, stuck_consumer_free};
}

Reader connect_reader(Machine &machine, reading_options options)
{
    const int display = add_display_client(machine);
    return {display >= 0 ? reading_consumer_new(display, options) : nullptr, reading_consumer_free};
}

ConsumerProcess::ConsumerProcess(Machine &machine)
    : process_(spawn_self("--stuck-consumer", UniqueFd(add_display_client(machine))))
{
}

bool ConsumerProcess::has_a_frame(int wait_ms)
{
    pollfd ready{process_.report.get(), POLLIN, 0};
    char byte = 0;
    return process_.pid > 0 && poll(&ready, 1, wait_ms) == 1 && read(ready.fd, &byte, 1) == 1;
}

void ConsumerProcess::kill()
{
    if (process_.pid <= 0)
        return;
    ::kill(process_.pid, SIGKILL);
    waitpid(process_.pid, nullptr, 0);
    process_.pid = -1;
}

ConsumerProcess::~ConsumerProcess()
{
    kill();
}

void ConsumerProcess::run(int display, int report)
{
    stuck_consumer *consumer = stuck_consumer_new(display);
    while (consumer != nullptr && stuck_consumer_updates(consumer) == 0)
        usleep(1000);
    if (consumer != nullptr && write(report, "f", 1) == 1)
        for (;;)
            pause();
    _exit(EXIT_FAILURE);
}

Recorder::Recorder(Machine &machine, unsigned console)
    : consumer_(recording_consumer_new(add_display_client(machine), console), recording_consumer_free)
{
    if (!consumer_)
        throw std::runtime_error("QEMU's D-Bus display does not let a listener in");
}

const recorded *Recorder::last(recorded_kind kind, unsigned from) const
{
    for (unsigned i = count(); i-- > from;) {
        if (at(i).kind == kind)
            return &at(i);
    }
    return nullptr;
}

const recorded *Recorder::wait(recorded_kind kind, unsigned from,
                               const std::function<bool(const recorded &)> &wanted)
{
    const recorded *found = nullptr;
    (void)eventually([&] {
        for (unsigned i = from; i < count() && !found; i++) {
            if (at(i).kind == kind && wanted(at(i)))
                found = &at(i);
        }
        return found != nullptr;
    });
    return found;
}

Picture picture_of(const recorded &call)
{
    Picture picture{call.width, call.height, {}};
    if (!call.pixels || std::uint64_t{call.stride} * (call.height - 1) + 4 * call.width > call.size)
        return picture;
    picture.pixels.resize(std::size_t{call.width} * call.height);
    for (std::uint32_t y = 0; y < call.height; y++)
        std::memcpy(&picture.pixels[std::size_t{y} * call.width], call.pixels + std::size_t{y} * call.stride,
                    std::size_t{4} * call.width);
    for (auto &pixel : picture.pixels)
        pixel &= 0xffffff;
    return picture;
}

} // namespace vramlink::test
