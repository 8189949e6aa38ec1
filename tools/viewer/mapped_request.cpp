// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/mapped_request.hpp"

#include "tools/common/qmp.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>

namespace vramlink {
namespace {

using nlohmann::json;

constexpr const char *property = "show-mapped"; // hw/qemu/vram-gpu.h, VRAM_SHOW_MAPPED_PROPERTY

/// The names under @p path in QEMU's object tree whose types @p wanted likes.
template <class F> Result<std::vector<std::string>> names(Qmp &qmp, const std::string &path, F wanted)
{
    const auto answer = qmp.command("qom-list", json{{"path", path}}.dump());
    if (!answer)
        return std::unexpected(answer.error());
    const auto list = json::parse(*answer, nullptr, false);
    if (!list.is_array())
        return fail(EPROTO, fmt::format("qom-list of {} is no list", path));
    std::vector<std::string> found;
    for (const auto &entry : list) {
        const std::string name = entry.value("name", ""), type = entry.value("type", "");
        if (wanted(name, type))
            found.push_back(name);
    }
    return found;
}

Result<bool> set(Qmp &qmp, const std::string &device, bool mapped)
{
    const auto has =
        names(qmp, device, [](const std::string &name, const std::string &) { return name == property; });
    if (!has)
        return std::unexpected(has.error());
    if (has->empty())
        return false;
    const auto done =
        qmp.command("qom-set", json{{"path", device}, {"property", property}, {"value", mapped}}.dump());
    if (!done)
        return std::unexpected(done.error());
    return true;
}

} // namespace

Result<unsigned> request_mapped(const std::string &path, bool mapped, std::chrono::milliseconds limit)
{
    auto qmp = Qmp::connect(path, limit);
    if (!qmp)
        return std::unexpected(qmp.error());
    unsigned devices = 0;
    for (const std::string parent : {"/machine/peripheral", "/machine/peripheral-anon"}) {
        const auto children = names(*qmp, parent, [](const std::string &, const std::string &type) {
            return type.starts_with("child<");
        });
        if (!children)
            return std::unexpected(children.error());
        for (const std::string &child : *children) {
            const auto was_set = set(*qmp, fmt::format("{}/{}", parent, child), mapped);
            if (!was_set)
                return std::unexpected(was_set.error());
            devices += *was_set ? 1 : 0;
        }
    }
    return devices;
}

} // namespace vramlink
