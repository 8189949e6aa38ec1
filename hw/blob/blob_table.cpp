// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/blob_table.hpp"

#include "hw/blob/translate.hpp"
#include "vramlink/checked.hpp"
#include "vramlink/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <exception>
#include <limits>
#include <utility>

namespace vramlink {
namespace {

/// At dma-bufs that linger.
constexpr size_t looks_per_command = 4;

vrl_limits with_defaults(vrl_limits limits)
{
    const auto fill = [](auto &value, auto standard) { value = value != 0 ? value : standard; };
    fill(limits.max_entries, VRL_DEFAULT_MAX_ENTRIES);
    fill(limits.max_blobs, VRL_DEFAULT_MAX_BLOBS);
    fill(limits.max_extents_total, VRL_DEFAULT_MAX_EXTENTS_TOTAL);
    fill(limits.max_bytes_copied, VRL_DEFAULT_MAX_BYTES_COPIED);
    fill(limits.let_go_ms, VRL_DEFAULT_LET_GO_MS);
    return limits;
}

} // namespace

BlobTable::BlobTable(const vrl_ops &ops, void *opaque, const vrl_limits &limits, const Host &host)
    : ops_(ops), opaque_(opaque), limits_(with_defaults(limits)), resources_(ops, opaque, limits_, host)
{
}

BlobTable::~BlobTable()
{
    reset();
    lose_lingering();
}

vrl_status BlobTable::say(uint32_t id, vrl_status status, vrl_log_level level,
                          std::string_view sentence) noexcept
{
    std::array<char, 512> text{};
    std::snprintf(text.data(), text.size(), "blob %" PRIu32 ": %.*s", id, static_cast<int>(sentence.size()),
                  sentence.data());
    resources_.log.say(level, text.data());
    return status;
}

Answer<void> BlobTable::check_new(uint32_t id, uint64_t size) const
{
    if (id == 0)
        return refuse(VRL_ERR_INVALID_RESOURCE_ID, "the id 0 is reserved");
    if (blobs_.contains(id))
        return refuse(VRL_ERR_INVALID_RESOURCE_ID, "the id is in use");
    if (size == 0)
        return refuse(VRL_ERR_INVALID_PARAMETER, "the size is 0");
    if (blobs_.size() >= limits_.max_blobs)
        return refuse(VRL_ERR_OUT_OF_MEMORY, fmt::format("the guest has {} blobs, its limit is {}",
                                                         blobs_.size(), limits_.max_blobs));
    return {};
}

void BlobTable::remember_rejected(uint32_t id, uint64_t size, Entries entries, const Refusal &refusal)
{
    Facts facts;
    facts.id = id;
    facts.state = State::Rejected;
    facts.size = size;
    facts.entries = static_cast<uint32_t>(entries.size());
    facts.plan = VRL_PLAN_REJECTED;
    facts.reason = refusal.sentence;
    history_.add(std::move(facts));
}

Answer<BlobTable::Blob> BlobTable::make_blob(uint32_t id, uint64_t size, Entries entries)
{
    const TranslateContext context{
        .ops = ops_,
        .opaque = opaque_,
        .regions = regions_,
        .max_entries = limits_.max_entries,
        .extents_left = resources_.extents.left(),
        .pool = &resources_.ranges,
    };
    const Clock::Time started = resources_.clock.now();
    auto memory = translate_entries(context, size, entries);
    if (!memory) {
        if (memory.error().unreadable)
            remember_rejected(id, size, entries, memory.error());
        return std::unexpected(std::move(memory.error()));
    }
    if (auto checked = check_memory(size, memory->memory); !checked)
        return std::unexpected(std::move(checked.error()));
    Blob blob;
    blob.facts.id = id;
    blob.facts.state = State::Backed;
    blob.facts.size = size;
    blob.facts.entries = static_cast<uint32_t>(entries.size());
    blob.facts.plan_ns = nanoseconds(resources_.clock.now() - started);
    blob.iommu = memory->iommu;
    auto backing = Backing::make(std::move(memory->memory), size, resources_, blob.facts);
    if (!backing)
        return std::unexpected(std::move(backing.error()));
    blob.backing = std::move(*backing);
    if (auto kept = keep_addresses(blob, entries); !kept)
        return std::unexpected(std::move(kept.error()));
    resources_.notes.plan(blob.facts);
    return blob;
}

/// The guest may name the same memory again and again; a view of all that would take the host's address
/// space.
Answer<void> BlobTable::check_memory(uint64_t size, const ExtentList &memory)
{
    uint64_t there = 0;
    for (const auto &region : memory.regions())
        there = checked_add(there, page_up(region->size)).value_or(std::numeric_limits<uint64_t>::max());
    if (page_up(size) > there)
        return refuse(
            VRL_ERR_INVALID_PARAMETER,
            fmt::format("the size is {} bytes, and the memory that the backing lies in has {}", size, there));
    return {};
}

Answer<void> BlobTable::keep_addresses(Blob &blob, Entries entries)
{
    if (blob.backing->in_vfio() && !blob.iommu)
        return {};
    AddressList list = AddressList::of(entries, blob.backing->memory().length());
    auto charge = resources_.addresses.take(list.size());
    if (!charge)
        return refuse(VRL_ERR_OUT_OF_MEMORY,
                      fmt::format("{} entries are over the {} that are left of {}", list.size(),
                                  resources_.addresses.left(), resources_.addresses.limit()));
    list.charge(std::move(*charge));
    blob.addresses = std::move(list);
    return {};
}

vrl_status BlobTable::create(uint32_t id, uint64_t size, Entries entries)
{
    resources_.lingering.tidy(looks_per_command);
    if (auto checked = check_new(id, size); !checked)
        return say(id, checked.error());
    auto blob = make_blob(id, size, entries);
    if (!blob)
        return say(id, blob.error());
    add(id, std::move(*blob));
    return VRL_OK;
}

void BlobTable::add(uint32_t id, Blob &&blob)
{
    ids_.make_room();
    tombstones_ += blob.facts.state == State::Revoked ? 1 : 0;
    blobs_.emplace(id, std::move(blob));
    ids_.insert(id);
}

void BlobTable::turn(Blob &blob, State next) noexcept
{
    tombstones_ -= blob.facts.state == State::Revoked ? 1 : 0;
    tombstones_ += next == State::Revoked ? 1 : 0;
    blob.facts.state = next;
}

vrl_status BlobTable::attach(uint32_t id, Entries entries)
{
    resources_.lingering.tidy(looks_per_command);
    const auto found = blobs_.find(id);
    if (found == blobs_.end())
        return say(id, VRL_ERR_INVALID_RESOURCE_ID, VRL_LOG_GUEST, "attach to an unknown id");
    if (found->second.backing)
        return say(id, VRL_ERR_UNSPEC, VRL_LOG_GUEST, "attach to a blob that has backing already");
    auto blob = make_blob(id, found->second.facts.size, entries);
    if (!blob)
        return say(id, blob.error());
    turn(found->second, State::Unbacked);
    found->second = std::move(*blob);
    return VRL_OK;
}

/// First half of a release: consumers are told, and do not show the blob any more.
void BlobTable::let_go(Blob &blob, State next) noexcept
{
    turn(blob, next);
    if (blob.backing && ops_.release_consumers != nullptr)
        blob.read_on = !ops_.release_consumers(opaque_, blob.facts.id, next == State::Revoked);
}

/// Second half: dma-bufs are closed or linger, views unmapped or retired.
void BlobTable::give_back(Blob &blob) noexcept
{
    if (blob.backing && blob.facts.state != State::Revoked)
        blob.backing->give_dmabufs_back();
    if (blob.backing && std::exchange(blob.read_on, false))
        blob.backing->retire_views(retired_);
    blob.backing.reset();
    blob.addresses = AddressList();
    blob.iommu = false;
}

void BlobTable::release(Blob &blob, State next) noexcept
{
    let_go(blob, next);
    give_back(blob);
}

vrl_status BlobTable::detach(uint32_t id) noexcept
{
    resources_.lingering.tidy(looks_per_command);
    const auto found = blobs_.find(id);
    if (found == blobs_.end())
        return say(id, VRL_ERR_INVALID_RESOURCE_ID, VRL_LOG_GUEST, "detach of an unknown id");
    Blob &blob = found->second;
    if (blob.facts.state == State::Revoked)
        return VRL_OK;
    if (blob.facts.state == State::Unbacked)
        return say(id, VRL_ERR_UNSPEC, VRL_LOG_GUEST, "detach without backing");
    release(blob, State::Unbacked);
    return VRL_OK;
}

vrl_status BlobTable::unref(uint32_t id) noexcept
{
    resources_.lingering.tidy(looks_per_command);
    const auto found = blobs_.find(id);
    if (found == blobs_.end())
        return say(id, VRL_ERR_INVALID_RESOURCE_ID, VRL_LOG_GUEST, "unref of an unknown id");
    release(found->second, State::Gone);
    history_.add(std::move(found->second.facts));
    blobs_.erase(found);
    ids_.erase(id);
    return VRL_OK;
}

void BlobTable::reset() noexcept
{
    for (auto &[id, blob] : blobs_) {
        release(blob, State::Gone);
        history_.add(std::move(blob.facts));
    }
    blobs_.clear();
    ids_.clear();
}

State BlobTable::state(uint32_t id) const noexcept
{
    const auto found = blobs_.find(id);
    return found != blobs_.end() ? found->second.facts.state : State::Gone;
}

vrl_plan BlobTable::plan(uint32_t id) const noexcept
{
    const auto found = blobs_.find(id);
    return found != blobs_.end() && found->second.backing ? found->second.facts.plan : VRL_PLAN_NONE;
}

bool BlobTable::in_vfio(uint32_t id) const noexcept
{
    const auto found = blobs_.find(id);
    return found != blobs_.end() && found->second.backing && found->second.backing->in_vfio();
}

BlobTable::Blob *BlobTable::backed(uint32_t id) noexcept
{
    const auto found = blobs_.find(id);
    return found != blobs_.end() && found->second.backing ? &found->second : nullptr;
}

void BlobTable::count(vrl_event event) noexcept
{
    switch (event) {
    case VRL_EVENT_FLIP:
        ++resources_.counters.flips;
        break;
    case VRL_EVENT_FLUSH:
        ++resources_.counters.flushes;
        break;
    case VRL_EVENT_SUPERSEDED:
        ++resources_.counters.superseded;
        break;
    case VRL_EVENT_IMPORT:
        ++resources_.counters.imports;
        break;
    case VRL_EVENT_IMPORT_FAILED:
        ++resources_.counters.imports_failed;
        break;
    case VRL_EVENT_CUT_OFF:
        ++resources_.counters.cut_off;
        break;
    case VRL_EVENT_STILL:
        ++resources_.counters.stills;
        break;
    case VRL_EVENT_STILL_LOST:
        ++resources_.counters.stills_lost;
        break;
    }
}

std::optional<Charge> BlobTable::charge(vrl_resource what, uint64_t amount, const char *for_what)
{
    const bool files = what == VRL_RESOURCE_DESCRIPTORS;
    Budget &budget = files                                ? *resources_.account.descriptors
                     : what == VRL_RESOURCE_ADDRESS_SPACE ? *resources_.account.address_space
                                                          : *resources_.account.host_memory;
    auto charge = budget.take(amount);
    if (!charge)
        resources_.log.say(VRL_LOG_GUEST,
                           fmt::format("{}: {} {}{} {}", for_what, amount, files ? "descriptor" : "byte",
                                       amount == 1 ? " is" : "s are", budget.over()));
    return charge;
}

void BlobTable::warn(const char *sentence)
{
    constexpr size_t most = 16;
    if (std::find(warnings_.begin(), warnings_.end(), sentence) != warnings_.end())
        return;
    resources_.log.say(VRL_LOG_HOST, sentence);
    if (warnings_.size() < most)
        warnings_.emplace_back(sentence);
}

void BlobTable::count_error(vrl_status status) noexcept
{
    const auto kind = static_cast<size_t>(status) - VRL_ERR_UNSPEC;
    ++resources_.counters.command_errors;
    if (kind < resources_.counters.errors.size())
        ++resources_.counters.errors[kind];
}

} // namespace vramlink
