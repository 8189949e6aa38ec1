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
#include <span>

namespace vramlink {
namespace {

bool lies_in(const ExtentList &memory, int device_fd) noexcept
{
    const auto regions = memory.regions();
    return std::any_of(regions.begin(), regions.end(), [device_fd](const auto &region) {
        return region->kind == RegionKind::VfioBar && region->fd == device_fd;
    });
}

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

/// Until nobody else has a reference to the dma-bufs of the blobs that are on their way out.
void BlobTable::wait_for_importers() noexcept
{
    const Clock::Time limit = resources_.clock.now() + std::chrono::milliseconds(limits_.let_go_ms);
    std::array<uint64_t, VRL_MAX_HELD> held{};
    size_t nr_held = 0;
    for (const auto &[id, blob] : blobs_) {
        if (blob.facts.state != State::Revoked || !blob.backing)
            continue;
        while (blob.backing->held_elsewhere()) {
            if (resources_.clock.now() >= limit) {
                ++resources_.counters.held_over;
                nr_held += blob.backing->held_elsewhere(std::span(held).subspan(nr_held));
                say_held_over(id);
                break;
            }
            resources_.clock.pause();
        }
    }
    if (nr_held > 0 && ops_.cut_off != nullptr) {
        const vrl_holders holders{held.data(), nr_held, true, 0};
        resources_.counters.cut_off += ops_.cut_off(opaque_, &holders);
    }
}

template <class Affected> uint32_t BlobTable::revoke_where(Affected affected, const char *why) noexcept
{
    uint32_t revoked = 0;
    for (auto &[id, blob] : blobs_) {
        if (!blob.backing || !affected(blob))
            continue;
        resources_.notes.revoked(blob.facts, why != nullptr ? why : "");
        let_go(blob, State::Revoked);
        ++revoked;
    }
    if (revoked == 0)
        return revoked;
    wait_for_importers();
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
    return revoke_where([region_id](const Blob &blob) { return blob.backing->memory().touches(region_id); },
                        why);
}

uint32_t BlobTable::revoke_addresses(uint64_t first, uint64_t last, const char *why) noexcept
{
    return revoke_where(
        [first, last](const Blob &blob) { return blob.iommu && blob.addresses.overlaps(first, last); }, why);
}

uint32_t BlobTable::revoke_device(int device_fd, const char *why) noexcept
{
    return revoke_where([device_fd](const Blob &blob) { return lies_in(blob.backing->memory(), device_fd); },
                        why);
}

uint32_t BlobTable::revoke_reported(int device_fd, const char *why) noexcept
{
    const auto reported = [device_fd](const Blob &blob) {
        return lies_in(blob.backing->memory(), device_fd) && blob.backing->revoked_by_kernel(device_fd);
    };
    const bool any = std::any_of(blobs_.begin(), blobs_.end(), [&](const auto &entry) {
        return entry.second.backing && reported(entry.second);
    });
    if (!any)
        return 0;
    return revoke_where(
        [&](const Blob &blob) {
            return reported(blob) ||
                   (lies_in(blob.backing->memory(), device_fd) && !blob.backing->has_dmabuf());
        },
        why);
}

bool BlobTable::await(uint32_t id, std::chrono::milliseconds limit) noexcept
{
    const Blob *blob = backed(id);
    const Clock::Time end = resources_.clock.now() + limit;
    while (blob != nullptr && blob->backing->held_elsewhere()) {
        if (resources_.clock.now() >= end)
            return false;
        resources_.clock.pause();
    }
    return true;
}

uint32_t BlobTable::revoke_range(uint64_t region_id, uint64_t first, uint64_t last, const char *why) noexcept
{
    if (!regions_.in_use(region_id))
        return 0;
    return revoke_where(
        [=](const Blob &blob) { return blob.backing->memory().overlaps(region_id, first, last); }, why);
}

void BlobTable::imported_here(uint32_t) noexcept {}

void BlobTable::reap() noexcept {}

void BlobTable::end_lingering() noexcept {}

uint32_t BlobTable::revoke_lost(const char *why) noexcept
{
    return revoke_where(
        [](const Blob &blob) {
            const CpuView *view = blob.backing->existing_view();
            return view != nullptr && view->lost();
        },
        why);
}

bool BlobTable::in_device(int device_fd) const noexcept
{
    return std::any_of(blobs_.begin(), blobs_.end(), [device_fd](const auto &entry) {
        return entry.second.backing && lies_in(entry.second.backing->memory(), device_fd);
    });
}

} // namespace vramlink
