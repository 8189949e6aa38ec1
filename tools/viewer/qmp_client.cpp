// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/qmp_client.hpp"

#include "tools/common/qmp.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace vramlink {

Result<UniqueFd> qmp_join_dbus_display(const std::string &path, std::chrono::milliseconds limit)
{
    auto qmp = Qmp::connect(path, limit);
    if (!qmp)
        return std::unexpected(qmp.error());

    std::array<int, 2> pair{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) < 0) {
        const int code = errno;
        return fail(code, fmt::format("socketpair: {}", std::strerror(code)));
    }
    UniqueFd ours(pair[0]);
    const UniqueFd theirs(pair[1]);
    if (const auto r = qmp->command("getfd", R"({"fdname": "vramlink-viewer"})", theirs.get()); !r)
        return std::unexpected(r.error());
    const auto joined = qmp->command(
        "add_client", R"({"protocol": "@dbus-display", "fdname": "vramlink-viewer", "skipauth": true})");
    if (!joined)
        return std::unexpected(joined.error());
    return ours;
}

} // namespace vramlink
