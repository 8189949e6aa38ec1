// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/common/devices.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>

namespace vramlink {
namespace {

using nlohmann::json;

constexpr const char *stats_property = "vramlink-stats";

/// qom-list of @p path: [{"name", "type"}, ...].
Result<json> list(Qmp &qmp, const std::string &path)
{
    const auto answer = qmp.command("qom-list", json{{"path", path}}.dump());
    if (!answer)
        return std::unexpected(answer.error());
    auto entries = json::parse(*answer, nullptr, false);
    if (!entries.is_array())
        return fail(EPROTO, fmt::format("QEMU's list of {} is not a list", path));
    return entries;
}

std::string text(const json &entry, const char *key)
{
    const auto found = entry.is_object() ? entry.find(key) : entry.end();
    return entry.is_object() && found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

Result<bool> has_stats(Qmp &qmp, const std::string &path)
{
    const auto properties = list(qmp, path);
    if (!properties)
        return std::unexpected(properties.error());
    for (const auto &property : *properties)
        if (text(property, "name") == stats_property)
            return true;
    return false;
}

/// A property that is a string.
Result<std::string> get(Qmp &qmp, const std::string &path, const std::string &property)
{
    const auto answer = qmp.command("qom-get", json{{"path", path}, {"property", property}}.dump());
    if (!answer)
        return answer;
    const auto value = json::parse(*answer, nullptr, false);
    if (!value.is_string())
        return fail(EPROTO, fmt::format("{} of {} is not a string", property, path));
    return value.get<std::string>();
}

/// How many pages of blobs there are.
uint64_t pages_of(const std::string &stats)
{
    constexpr uint64_t most = 1024; // of 256 blobs each: more than any table has
    const auto all = json::parse(stats, nullptr, false);
    const auto pages = all.is_object() ? all.find("blob_pages") : all.end();
    const bool told = all.is_object() && pages != all.end() && pages->is_number_unsigned();
    return told ? std::min(most, pages->get<uint64_t>()) : 1;
}

Result<void> add_devices_under(Qmp &qmp, const std::string &parent, std::vector<Device> &devices)
{
    const auto children = list(qmp, parent);
    if (!children)
        return std::unexpected(children.error());
    for (const auto &child : *children) {
        if (!text(child, "type").starts_with("child<"))
            continue;
        std::string path = parent + "/" + text(child, "name");
        const auto ours = has_stats(qmp, path);
        if (!ours)
            return std::unexpected(ours.error());
        if (!*ours)
            continue;
        auto stats = get(qmp, path, stats_property);
        if (!stats)
            return std::unexpected(stats.error());
        devices.push_back({.path = std::move(path), .stats = std::move(*stats)});
    }
    return {};
}

} // namespace

Result<std::vector<Device>> find_devices(Qmp &qmp)
{
    std::vector<Device> devices;
    for (const char *parent : {"/machine/peripheral", "/machine/peripheral-anon"}) {
        if (const auto added = add_devices_under(qmp, parent, devices); !added)
            return std::unexpected(added.error());
    }
    return devices;
}

Result<void> fetch_more_blobs(Qmp &qmp, Device &device)
{
    const uint64_t pages = pages_of(device.stats);
    for (uint64_t page = 1; page < pages; ++page) {
        auto blobs = get(qmp, device.path, fmt::format("vramlink-blobs[{}]", page));
        if (!blobs)
            return std::unexpected(std::move(blobs.error()));
        device.more_blobs.push_back(std::move(*blobs));
    }
    return {};
}

} // namespace vramlink
