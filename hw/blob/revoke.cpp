// SPDX-License-Identifier: GPL-2.0-or-later
//
// BlobTable, revocation: memory goes away, and whoever shows it lets go first.
//
// The kernel's own revocation of a dma-buf waits for every importer, without bound, and the VMM's ioctl or
// config write waits with it (Linux: drivers/vfio/pci/vfio_pci_dmabuf.c). So all consumers of all blobs
// concerned are told, then they are given a bounded time, and only then is anything closed.

#include "hw/blob/blob_table.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <exception>
#include <iterator>
#include <utility>

namespace vramlink {
namespace {

/// At dma-bufs that linger.
constexpr size_t looks_per_loss = 64;

bool lies_in(const ExtentList &memory, int device_fd) noexcept
{
    const auto regions = memory.regions();
    return std::any_of(regions.begin(), regions.end(), [device_fd](const auto &region) {
        return region->kind == RegionKind::VfioBar && region->fd == device_fd;
    });
}

using Position = DmaBufs::const_iterator;

bool is_held(Position first, Position last, DeviceCalls &calls) noexcept
{
    return std::any_of(first, last, [&](const DmaBuf &dmabuf) { return dmabuf.held(calls) == Held::Yes; });
}

/// Of dma-bufs; the first that there is room for.
struct Inodes {
    std::array<uint64_t, VRL_MAX_HELD> all{};
    size_t count = 0;

    /// Of those from @p first to @p last that are held in this way.
    void add(Position first, Position last, Held held, DeviceCalls &calls) noexcept
    {
        for (; first != last && count < all.size(); ++first) {
            if (first->held(calls) == held)
                all[count++] = first->inode;
        }
    }
    [[nodiscard]] vrl_holders as_holders(bool certain, uint32_t limit_ms) const noexcept
    {
        return {all.data(), count, certain, limit_ms};
    }
};

} // namespace

void BlobTable::say_held_over(uint32_t id) noexcept
{
    std::array<char, 256> sentence{};
    std::snprintf(sentence.data(), sentence.size(),
                  "a consumer that was told to let go still holds its dma-buf after %" PRIu32
                  " ms; whoever takes the memory away may have to wait for that process",
                  limits_.let_go_ms);
    say(id, VRL_OK, VRL_LOG_HOST, sentence.data());
}

/// Goes through what is on its way out: @p look(id, dma-bufs) for each blob, and for @p lost one at a time.
template <class Look> void BlobTable::each_leaving(const DmaBufs &lost, Look look) const noexcept
{
    for (const auto &[id, blob] : blobs_) {
        if (blob.facts.state == State::Revoked && blob.backing)
            look(id, blob.backing->dmabufs().begin(), blob.backing->dmabufs().end());
    }
    for (auto at = lost.begin(); at != lost.end(); ++at)
        look(at->blob, at, std::next(at));
}

/// Until nobody else has a reference to the dma-bufs that are on their way out, or the time is over. Of those
/// that counting proves nothing for, glue asks the displays itself.
void BlobTable::wait_for_importers(const DmaBufs &lost) noexcept
{
    const Clock::Time limit = resources_.clock.now() + std::chrono::milliseconds(limits_.let_go_ms);
    Inodes unknown;
    each_leaving(lost, [&](uint32_t, auto first, auto last) {
        unknown.add(first, last, Held::Unknown, resources_.calls);
    });
    cut_off(unknown.as_holders(false, limits_.let_go_ms));
    Inodes still_held;
    each_leaving(lost, [&](uint32_t id, auto first, auto last) {
        while (is_held(first, last, resources_.calls)) {
            if (resources_.clock.now() >= limit) {
                ++resources_.counters.held_over;
                still_held.add(first, last, Held::Yes, resources_.calls);
                say_held_over(id);
                return;
            }
            resources_.clock.pause();
        }
    });
    cut_off(still_held.as_holders(true, 0));
}

void BlobTable::cut_off(const vrl_holders &holders) noexcept
{
    if (holders.nr_inodes > 0 && ops_.cut_off != nullptr)
        resources_.counters.cut_off += ops_.cut_off(opaque_, &holders);
}

/// @p lost: dma-bufs that lingered in the same memory; closed when this returns.
template <class Affected>
// NOLINTNEXTLINE(performance-unnecessary-value-param): taken, so that they are closed
uint32_t BlobTable::revoke_where(Affected affected, DmaBufs lost, const char *why) noexcept
{
    uint32_t revoked = 0;
    for (auto &[id, blob] : blobs_) {
        if (!blob.backing || !affected(blob))
            continue;
        resources_.notes.revoked(blob.facts, why != nullptr ? why : "");
        let_go(blob, State::Revoked);
        ++revoked;
    }
    resources_.lingering.tidy(looks_per_loss);
    if (revoked == 0 && lost.empty())
        return revoked;
    wait_for_importers(lost);
    resources_.counters.revocations += revoked;
    for (auto &[id, blob] : blobs_) {
        if (blob.facts.state != State::Revoked || !blob.backing)
            continue;
        give_back(blob);
        try {
            blob.facts.revoked = why != nullptr ? why : "";
        } catch (const std::exception &) {
            blob.facts.revoked.clear(); // only the words are lost
        }
    }
    return revoked;
}

uint32_t BlobTable::revoke_region(uint64_t region_id, const char *why) noexcept
{
    if (!regions_.in_use(region_id))
        return 0;
    return revoke_where(
        [region_id](const Blob &blob) { return blob.backing->memory().touches(region_id); },
        resources_.lingering.lose([region_id](const DmaBuf &dmabuf) { return dmabuf.bar->id == region_id; }),
        why);
}

uint32_t BlobTable::revoke_addresses(uint64_t first, uint64_t last, const char *why) noexcept
{
    return revoke_where(
        [first, last](const Blob &blob) { return blob.iommu && blob.addresses.overlaps(first, last); }, {},
        why);
}

uint32_t BlobTable::revoke_device(int device_fd, const char *why) noexcept
{
    return revoke_where(
        [device_fd](const Blob &blob) { return lies_in(blob.backing->memory(), device_fd); },
        resources_.lingering.lose([device_fd](const DmaBuf &dmabuf) { return dmabuf.in_device(device_fd); }),
        why);
}

uint32_t BlobTable::revoke_reported(int device_fd, const char *why) noexcept
{
    const auto reported = [device_fd](const Blob &blob) {
        return lies_in(blob.backing->memory(), device_fd) && blob.backing->revoked_by_kernel(device_fd);
    };
    DmaBufs lost = resources_.lingering.lose([&](const DmaBuf &dmabuf) {
        return dmabuf.in_device(device_fd) && dmabuf.revoked_by_kernel(resources_.calls);
    });
    const bool any = !lost.empty() || std::any_of(blobs_.begin(), blobs_.end(), [&](const auto &entry) {
        return entry.second.backing && reported(entry.second);
    });
    return revoke_where(
        [&](const Blob &blob) {
            return any && (reported(blob) ||
                           (lies_in(blob.backing->memory(), device_fd) && !blob.backing->has_dmabuf()));
        },
        std::move(lost), why);
}

void BlobTable::lose_lingering() noexcept
{
    wait_for_importers(resources_.lingering.lose([](const DmaBuf &) { return true; }));
}

void BlobTable::tidy_lingering() noexcept
{
    resources_.lingering.tidy(looks_per_loss);
}

bool BlobTable::await(uint32_t id, std::chrono::milliseconds limit) noexcept
{
    const Blob *blob = backed(id);
    if (blob == nullptr)
        return true;
    const Clock::Time end = resources_.clock.now() + limit;
    Held now = held(blob->backing->dmabufs(), resources_.calls);
    for (; now == Held::Yes && resources_.clock.now() < end;
         now = held(blob->backing->dmabufs(), resources_.calls))
        resources_.clock.pause();
    return now == Held::No;
}

uint32_t BlobTable::revoke_range(uint64_t region_id, uint64_t first, uint64_t last, const char *why) noexcept
{
    if (!regions_.in_use(region_id))
        return 0;
    return revoke_where(
        [=](const Blob &blob) { return blob.backing->memory().overlaps(region_id, first, last); }, {}, why);
}

void BlobTable::imported_here(uint32_t id) noexcept
{
    if (const Blob *blob = backed(id))
        blob->backing->imported_here();
}

void BlobTable::reap() noexcept
{
    retired_.clear();
}

uint32_t BlobTable::revoke_lost(const char *why) noexcept
{
    return revoke_where([](const Blob &blob) { return blob.backing->has_lost_view(); }, {}, why);
}

bool BlobTable::in_device(int device_fd) const noexcept
{
    return resources_.lingering.in_device(device_fd) ||
           std::any_of(blobs_.begin(), blobs_.end(), [device_fd](const auto &entry) {
               return entry.second.backing && lies_in(entry.second.backing->memory(), device_fd);
           });
}

} // namespace vramlink
