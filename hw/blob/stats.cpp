// SPDX-License-Identifier: GPL-2.0-or-later
//
// BlobTable, what was measured: the JSON that vrl_table_stats_json() documents.

#include "hw/blob/blob_table.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <limits>
#include <tuple>
#include <utility>

namespace vramlink {
namespace {

using Json = nlohmann::ordered_json;

const char *state_name(State state)
{
    switch (state) {
    case State::Unbacked:
        return "unbacked";
    case State::Backed:
        return "backed";
    case State::Revoked:
        return "revoked";
    case State::Gone:
        return "gone";
    case State::Rejected:
        return "rejected";
    }
    return "unknown";
}

Json scanout_numbers(uint32_t mask)
{
    Json numbers = Json::array();
    for (unsigned i = 0; i < std::numeric_limits<uint32_t>::digits; ++i) {
        if ((mask >> i & 1U) != 0)
            numbers.push_back(i);
    }
    return numbers;
}

Json error_counts(const Counters &counters)
{
    constexpr std::array<const char *, std::tuple_size_v<decltype(Counters::errors)>> kinds{
        "unspecified",      "out of memory",   "invalid scanout",
        "invalid resource", "invalid context", "invalid parameter"};
    Json counts = Json::object();
    for (size_t i = 0; i < kinds.size(); ++i) {
        if (counters.errors[i] != 0)
            counts[kinds[i]] = counters.errors[i];
    }
    return counts;
}

Json command_counts(const CommandCounts &commands)
{
    Json counts = Json::object();
    for (size_t i = 0; i < CommandCounts::names.size(); ++i) {
        if (commands.of(i) != 0)
            counts[CommandCounts::names[i]] = commands.of(i);
    }
    return counts;
}

Json to_json(const Facts &facts)
{
    Json json{
        {"id", facts.id},           {"state", state_name(facts.state)}, {"size", facts.size},
        {"entries", facts.entries}, {"ranges", facts.ranges},           {"plan", plan_name(facts.plan)},
        {"reason", facts.reason},   {"plan_ns", facts.plan_ns},         {"export_us", facts.export_us},
        {"dmabufs", facts.dmabufs}, {"region", facts.region},           {"view", facts.view},
    };
    if (!facts.shown.empty())
        json["shown"] = facts.shown;
    if (!facts.revoked.empty())
        json["revoked"] = facts.revoked;
    return json;
}

/// What the table has of what the process may spend.
Json charged(const Account &account)
{
    return {{"descriptors", account.descriptors->used()},
            {"mappings", account.mappings->used()},
            {"address_space", account.address_space->used()},
            {"host_memory", account.host_memory->used()},
            {"pinned", account.pinned->used()}};
}

std::string text_of(const Json &json)
{
    constexpr int indent = 1;
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

} // namespace

size_t BlobTable::blob_pages() const noexcept
{
    return blobs_.empty() ? 1 : (blobs_.size() - 1) / VRL_BLOBS_PER_PAGE + 1;
}

/// Kept apart from the JSON of all: made in pieces, so that no piece holds the main loop for long.
template <class List> void BlobTable::list_blobs(uint64_t page, List &list) const
{
    for (const uint32_t id : ids_.page(page, VRL_BLOBS_PER_PAGE)) {
        Json json = to_json(blobs_.at(id).facts);
        if (ops_.scanouts != nullptr)
            json["scanouts"] = scanout_numbers(ops_.scanouts(opaque_, id));
        list.push_back(std::move(json));
    }
}

std::string BlobTable::blobs_json(uint32_t page) const
{
    Json blobs = Json::array();
    list_blobs(page, blobs);
    return text_of({{"page", page}, {"blob_pages", blob_pages()}, {"blobs", std::move(blobs)}});
}

std::string BlobTable::stats_json() const
{
    resources_.lingering.tidy(resources_.lingering.size());
    Json blobs = Json::array();
    list_blobs(0, blobs);
    Json history = Json::array();
    for (size_t i = 0; i < history_.size(); ++i)
        history.push_back(to_json(history_.at(i)));
    const Counters &counters = resources_.counters;
    const PrimeProbe::Tally probed = resources_.probe ? resources_.probe->tally() : PrimeProbe::Tally{};
    const Json totals{
        {"commands", counters.commands.total()},
        {"commands_by_type", command_counts(counters.commands)},
        {"flips", counters.flips},
        {"superseded", counters.superseded},
        {"flushes", counters.flushes},
        {"exports", counters.exports},
        {"exports_failed", counters.exports_failed},
        {"imports", counters.imports + probed.imports},
        {"imports_failed", counters.imports_failed + probed.failed},
        {"views", counters.views},
        {"bytes_copied", counters.bytes_copied},
        {"stills", counters.stills},
        {"stills_lost", counters.stills_lost},
        {"revocations", counters.revocations},
        {"held_over", counters.held_over},
        {"cut_off", counters.cut_off},
        {"command_errors", counters.command_errors},
        {"errors", error_counts(counters)},
        {"live", blobs_.size() - tombstones_},
        {"tombstones", tombstones_},
        {"dmabuf_fds", resources_.dmabufs.used()},
        {"lingering", resources_.lingering.size()},
        {"lingered", resources_.lingering.ever()},
        {"extents", resources_.extents.used()},
        {"charged", charged(resources_.account)},
    };
    return text_of({{"totals", totals},
                    {"warnings", warnings_},
                    {"blob_pages", blob_pages()},
                    {"blobs", std::move(blobs)},
                    {"history", std::move(history)}});
}

} // namespace vramlink
