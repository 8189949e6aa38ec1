// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/consumer.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace vramlink::test {

Consumer connect_consumer(Machine &machine)
{
    std::array<int, 2> pair{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
        return {nullptr, stuck_consumer_free};
    const Json getfd{{"execute", "getfd"}, {"arguments", {{"fdname", "display"}}}};
    std::free(vm_qmp_fd(machine.raw(), getfd.dump().c_str(), pair[1]));
    close(pair[1]);
    machine.qmp({{"execute", "add_client"},
                 {"arguments", {{"protocol", "@dbus-display"}, {"fdname", "display"}, {"skipauth", true}}}});
    return {stuck_consumer_new(pair[0]), stuck_consumer_free};
}

} // namespace vramlink::test
