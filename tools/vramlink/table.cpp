// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/vramlink/table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iterator>

namespace vramlink {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char *nothing = "-";

const Json &member(const Json &object, const char *key)
{
    static const Json none;
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() ? *found : none;
}

/// A number or a string as it stands; a list with commas.
std::string text(const Json &value)
{
    if (value.is_string())
        return value.get<std::string>();
    if (value.is_number())
        return value.dump();
    if (!value.is_array() || value.empty())
        return nothing;
    std::string all;
    for (const auto &item : value)
        all += (all.empty() ? "" : ",") + text(item);
    return all;
}

std::string bytes(const Json &value)
{
    constexpr std::array<const char *, 4> units{"B", "KiB", "MiB", "GiB"};
    if (!value.is_number_unsigned())
        return nothing;
    double amount = value.get<double>();
    size_t unit = 0;
    for (; amount >= 1024 && unit + 1 < units.size(); ++unit)
        amount /= 1024;
    return unit == 0 ? fmt::format("{} B", value.get<uint64_t>())
                     : fmt::format("{:.1f} {}", amount, units[unit]);
}

using Row = std::array<std::string, 9>;

Row row_of(const Json &blob)
{
    std::string why = text(member(blob, member(blob, "revoked").is_string() ? "revoked" : "reason"));
    if (member(blob, "shown").is_string())
        why += "; " + text(member(blob, "shown"));
    return {text(member(blob, "id")),       text(member(blob, "state")),  bytes(member(blob, "size")),
            text(member(blob, "plan")),     text(member(blob, "view")),   text(member(blob, "ranges")),
            text(member(blob, "scanouts")), text(member(blob, "region")), why};
}

/// Columns as wide as their widest entry; the last one is not padded.
std::string lines_of(const std::vector<Row> &rows)
{
    std::array<size_t, std::tuple_size_v<Row>> widths{};
    for (const Row &row : rows)
        for (size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    std::string lines;
    for (const Row &row : rows) {
        lines += " ";
        for (size_t i = 0; i + 1 < row.size(); ++i)
            fmt::format_to(std::back_inserter(lines), " {:<{}}", row[i], widths[i]);
        fmt::format_to(std::back_inserter(lines), " {}\n", row.back());
    }
    return lines;
}

std::string blobs_of(const Json &blobs)
{
    std::vector<Row> rows{{"ID", "STATE", "SIZE", "PLAN", "VIEW", "RANGES", "SCANOUTS", "REGION", "WHY"}};
    if (blobs.is_array())
        std::transform(blobs.begin(), blobs.end(), std::back_inserter(rows), row_of);
    return rows.size() > 1 ? lines_of(rows) : "  none\n";
}

/// A device's statistics with the blobs of all pages.
Json all_of(const Device &device)
{
    Json stats = Json::parse(device.stats, nullptr, false);
    if (!stats.is_object() || !member(stats, "blobs").is_array())
        return stats;
    Json &blobs = stats["blobs"];
    for (const std::string &page : device.more_blobs) {
        const Json more = Json::parse(page, nullptr, false);
        for (const Json &blob : member(more, "blobs"))
            blobs.push_back(blob);
    }
    return stats;
}

std::string lines_of_warnings(const Json &warnings)
{
    std::string lines;
    for (const Json &warning : warnings.is_array() ? warnings : Json::array())
        lines += "  warning: " + text(warning) + "\n";
    return lines;
}

/// What the device has of what its process may spend.
std::string charges_of(const Json &charged)
{
    if (!charged.is_object())
        return "";
    const auto n = [&](const char *key) { return text(member(charged, key)); };
    const auto b = [&](const char *key) { return bytes(member(charged, key)); };
    return fmt::format(
        "  charged: {} descriptors, {} mappings, {} of address space, {} of memory, {} pinned\n",
        n("descriptors"), n("mappings"), b("address_space"), b("host_memory"), b("pinned"));
}

std::string totals_of(const Json &totals)
{
    const auto n = [&](const char *key) { return text(member(totals, key)); };
    std::string lines = fmt::format(
        "  {} live, {} revoked; {} dma-bufs open, {} linger, {} ranges kept\n"
        "  {} flips ({} never shown), {} flushes, {} exports ({} failed), {} imports ({} failed)\n"
        "  {} views, {} copied, {} revocations, {} commands ({} refused",
        n("live"), n("tombstones"), n("dmabuf_fds"), n("lingering"), n("extents"), n("flips"),
        n("superseded"), n("flushes"), n("exports"), n("exports_failed"), n("imports"), n("imports_failed"),
        n("views"), bytes(member(totals, "bytes_copied")), n("revocations"), n("commands"),
        n("command_errors"));
    std::string kinds;
    for (const auto &[kind, count] : member(totals, "errors").items())
        kinds += fmt::format("{}{} {}", kinds.empty() ? ": " : ", ", text(count), kind);
    return lines + kinds + ")\n" + charges_of(member(totals, "charged"));
}

} // namespace

std::string as_table(const Device &device, bool history)
{
    const Json stats = all_of(device);
    if (!stats.is_object())
        return device.path + "\n  its statistics are no JSON object\n";
    std::string all = device.path + "\n" + lines_of_warnings(member(stats, "warnings")) +
                      totals_of(member(stats, "totals")) + "blobs\n" + blobs_of(member(stats, "blobs"));
    if (history)
        all += "gone\n" + blobs_of(member(stats, "history"));
    return all;
}

std::string as_json(const std::vector<Device> &devices)
{
    Json all = Json::object();
    for (const Device &device : devices) {
        Json stats = all_of(device);
        all[device.path] = stats.is_discarded() ? Json() : std::move(stats);
    }
    constexpr int indent = 2;
    return all.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace vramlink
