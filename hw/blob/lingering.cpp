// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/blob/lingering.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vramlink {
namespace {

constexpr size_t looks_for_room = 64;

} // namespace

void Lingering::take(DmaBufs &dmabufs) noexcept
{
    for (auto at = dmabufs.begin(); at != dmabufs.end();) {
        const auto next = std::next(at);
        if (at->bar && at->held(calls_) != Held::No) {
            at->open = Charge();
            at->number = ever_++;
            at->uncounted = !calls_.references(at->fd.get());
            all_.splice(all_.end(), dmabufs, at);
        }
        at = next;
    }
    while (uncounted() > max_uncounted)
        close_oldest_uncounted();
}

void Lingering::tidy(size_t most) noexcept
{
    for (most = std::min(most, all_.size()); most > 0; --most) {
        if (all_.front().held(calls_) == Held::No)
            all_.pop_front();
        else
            all_.splice(all_.end(), all_, all_.begin());
    }
}

void Lingering::make_room() noexcept
{
    const size_t before = all_.size();
    tidy(looks_for_room);
    if (all_.size() == before && uncounted() > 0)
        close_oldest_uncounted();
}

size_t Lingering::uncounted() const noexcept
{
    return static_cast<size_t>(
        std::count_if(all_.begin(), all_.end(), [](const DmaBuf &dmabuf) { return dmabuf.uncounted; }));
}

/// There is one.
void Lingering::close_oldest_uncounted() noexcept
{
    const auto rank = [](const DmaBuf &dmabuf) { return dmabuf.uncounted ? dmabuf.number : UINT64_MAX; };
    const auto oldest = std::min_element(all_.begin(), all_.end(),
                                         [&](const DmaBuf &a, const DmaBuf &b) { return rank(a) < rank(b); });
    all_.erase(oldest);
    if (!std::exchange(told_, true))
        log_.say(VRL_LOG_HOST,
                 "a dma-buf that the guest has given back is forgotten, though a consumer may hold it: its "
                 "references cannot be counted (/proc/self/fdinfo), and there are too many like it");
}

bool Lingering::in_device(int device_fd) const noexcept
{
    return std::any_of(all_.begin(), all_.end(),
                       [device_fd](const DmaBuf &dmabuf) { return dmabuf.in_device(device_fd); });
}

} // namespace vramlink
