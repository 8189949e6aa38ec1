// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/backing.hpp"

#include "vramlink/page.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace vramlink {
namespace {

uint64_t inode_of(int fd) noexcept
{
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

uint64_t microseconds(Clock::Time::duration duration)
{
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

} // namespace

Answer<void> Backing::pay()
{
    auto extents = resources_.extents.take(memory_.extents().size());
    if (!extents)
        return refuse(VRL_ERR_OUT_OF_MEMORY,
                      fmt::format("{} ranges are over the {} that are left of {}", memory_.extents().size(),
                                  resources_.extents.left(), resources_.extents.limit()));
    extents_charge_ = std::move(*extents);
    return {};
}

Answer<std::unique_ptr<Backing>> Backing::make(ExtentList memory, uint64_t size, Resources &resources,
                                               Facts &facts)
{
    const Clock::Time started = resources.clock.now();
    std::unique_ptr<Backing> backing(new Backing(std::move(memory), size, resources));
    backing->choice_ = choose_plan(backing->memory_);
    facts.plan_ns += nanoseconds(resources.clock.now() - started);
    if (auto paid = backing->pay(); !paid)
        return std::unexpected(std::move(paid.error()));
    facts.ranges = backing->memory_.extents().size();
    facts.region = backing->memory_.regions()[0]->name;
    backing->plan_and_share(facts);
    return backing;
}

void Backing::plan_and_share(Facts &facts)
{
    facts.plan = unshared_plan(choice_.view);
    facts.reason = choice_.reason;
    if (choice_.share == ShareBy::None)
        return;
    std::string failure;
    shared_ = add_dmabuf(0, facts, failure) >= 0;
    if (shared_) {
        facts.plan = VRL_PLAN_SHARED;
        if (auto importable = probe(dmabufs_.front().fd.get()); !importable)
            unshare(importable.error().text, facts);
        return;
    }
    if (failure != resources_.last_failure)
        resources_.log.say(VRL_LOG_HOST, fmt::format("blob {}: {}", facts.id, failure));
    resources_.last_failure = failure;
    facts.reason = std::move(failure);
}

/// Asked of the one GPU that the user named.
Result<void> Backing::probe(int dmabuf)
{
    constexpr uint64_t udmabuf = 0; // no region has this id
    if (!resources_.probe)
        return {};
    return resources_.probe->try_import(choice_.share == ShareBy::Vfio ? memory_.regions()[0]->id : udmabuf,
                                        dmabuf);
}

void Backing::unshare(const std::string &why, Facts &facts)
{
    if (!shared_)
        return;
    std::string reason = "not shared: " + why;
    shared_ = false;
    give_dmabufs_back();
    facts.plan = unshared_plan(choice_.view);
    if (reason != resources_.last_failure)
        resources_.log.say(VRL_LOG_HOST, fmt::format("blob {}: {}", facts.id, reason));
    resources_.last_failure = reason;
    facts.reason = std::move(reason);
    resources_.notes.plan(facts);
}

Result<UniqueFd> Backing::export_from(uint64_t start)
{
    if (choice_.share == ShareBy::Vfio)
        return resources_.vfio.export_from(memory_, start);
    return resources_.udmabuf.export_from(memory_, start);
}

/// Guest RAM in a dma-buf cannot be given back to the host. Those that start later in the blob hold the same
/// pages as the first.
std::expected<Charge, std::string> Backing::pin(uint64_t start)
{
    if (choice_.share != ShareBy::Udmabuf || start != 0)
        return Charge();
    Budget &budget = *resources_.account.pinned;
    auto charge = budget.take(memory_.length());
    if (!charge)
        return std::unexpected(
            fmt::format("a dma-buf would pin {} bytes, {}", memory_.length(), budget.over()));
    return std::move(*charge);
}

int Backing::add_dmabuf(uint64_t start, Facts &facts, std::string &reason)
{
    auto charge = resources_.account.descriptors->take(1);
    if (!charge) {
        resources_.lingering.make_room();
        charge = resources_.account.descriptors->take(1);
    }
    if (!charge) {
        reason = "a dma-buf takes 1 descriptor, " + resources_.account.descriptors->over();
        return -1;
    }
    auto pinned = pin(start);
    if (!pinned) {
        reason = std::move(pinned.error());
        return -1;
    }
    DmaBufs one;
    DmaBuf &made = one.emplace_back();
    made.blob = facts.id;
    made.start = start;
    facts.dmabufs.reserve(1 + max_slices);
    const Clock::Time before = resources_.clock.now();
    auto exported = export_from(start);
    const uint64_t took = microseconds(resources_.clock.now() - before);
    if (start == 0)
        facts.export_us = took;
    resources_.notes.exported(facts, start, took, exported ? "ok" : exported.error().text.c_str());
    if (!exported) {
        ++resources_.counters.exports_failed;
        reason = std::move(exported.error().text);
        dmabufs_.splice(dmabufs_.end(), one); // not tried again
        return -1;
    }
    ++resources_.counters.exports;
    made.inode = inode_of(exported->get());
    made.fd = std::move(*exported);
    made.imported_here = imported_here_;
    made.descriptor = std::move(*charge);
    made.pinned = std::move(*pinned);
    if (auto open = resources_.dmabufs.take(1)) // without a limit: a count
        made.open = std::move(*open);
    if (choice_.share == ShareBy::Vfio)
        made.bar = memory_.regions()[0];
    facts.dmabufs.push_back(made.inode);
    dmabufs_.splice(dmabufs_.end(), one);
    return made.fd.get();
}

int Backing::dmabuf(uint64_t start, Facts &facts)
{
    if (!shared_)
        return -1;
    const auto known = std::find_if(dmabufs_.begin(), dmabufs_.end(),
                                    [start](const DmaBuf &dmabuf) { return dmabuf.start == start; });
    if (known != dmabufs_.end())
        return known->fd.get();
    if (!page_aligned(start) || dmabufs_.size() > max_slices) {
        facts.reason = !page_aligned(start)
                           ? fmt::format("a framebuffer at byte {}, inside a page, has no dma-buf", start)
                           : fmt::format("a framebuffer at byte {} has no dma-buf: the blob has {} already",
                                         start, dmabufs_.size());
        return -1;
    }
    std::string failure;
    const int fd = add_dmabuf(start, facts, failure);
    if (fd < 0)
        facts.reason = std::move(failure);
    return fd;
}

void Backing::give_dmabufs_back() noexcept
{
    resources_.lingering.take(dmabufs_);
    dmabufs_.clear();
}

void Backing::imported_here() noexcept
{
    imported_here_ = true;
    for (DmaBuf &dmabuf : dmabufs_)
        dmabuf.imported_here = true;
}

bool Backing::has_dmabuf() const noexcept
{
    return std::any_of(dmabufs_.begin(), dmabufs_.end(),
                       [](const DmaBuf &dmabuf) { return dmabuf.fd.valid(); });
}

bool Backing::revoked_by_kernel(int device_fd) const noexcept
{
    return std::any_of(dmabufs_.begin(), dmabufs_.end(), [&](const DmaBuf &dmabuf) {
        return dmabuf.in_device(device_fd) && dmabuf.revoked_by_kernel(resources_.calls);
    });
}

} // namespace vramlink
