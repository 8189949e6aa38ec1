// SPDX-License-Identifier: GPL-2.0-or-later
//
// Lingering: dma-bufs of VFIO devices that blobs have given back while somebody else had a reference.
//
// Linux's virtio-gpu detaches a buffer before its GPU is reset. The kernel's own revocation then waits for
// whoever still imports the dma-buf, without bound, so it must not be forgotten: it stays here, with what it
// costs, until nobody has it or its memory is lost. Thread: main loop.

#ifndef VRAMLINK_HW_BLOB_LINGERING_HPP
#define VRAMLINK_HW_BLOB_LINGERING_HPP

#include "hw/blob/dmabuf.hpp"
#include "hw/blob/log.hpp"
#include "vramlink/device_calls.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace vramlink {

class Lingering {
  public:
    /// Of those whose references cannot be counted, nothing ever tells that they are free.
    static constexpr size_t max_uncounted = 64;

    /// Borrows both.
    Lingering(DeviceCalls &calls, Log &log) noexcept : calls_(calls), log_(log) {}

    /// Takes those of @p dmabufs that lie in a VFIO device and that somebody may hold; leaves the others.
    void take(DmaBufs &dmabufs) noexcept;
    /// Looks again at the @p most that were not looked at for the longest time, and closes those that nobody
    /// holds. About 5 us each.
    void tidy(size_t most) noexcept;
    /// Descriptors have run out: looks at some; if that helps nothing, the oldest one that cannot be
    /// counted is closed.
    void make_room() noexcept;
    /// Gives away those that @p lost(const DmaBuf &) is true for.
    template <class Lost> [[nodiscard]] DmaBufs lose(Lost lost) noexcept
    {
        DmaBufs gone;
        for (auto at = all_.begin(); at != all_.end();) {
            const auto next = std::next(at);
            if (lost(static_cast<const DmaBuf &>(*at)))
                gone.splice(gone.end(), all_, at);
            at = next;
        }
        return gone;
    }

    [[nodiscard]] size_t size() const noexcept { return all_.size(); }
    /// How many there ever were.
    [[nodiscard]] uint64_t ever() const noexcept { return ever_; }
    [[nodiscard]] bool in_device(int device_fd) const noexcept;

  private:
    [[nodiscard]] size_t uncounted() const noexcept;
    void close_oldest_uncounted() noexcept;

    DeviceCalls &calls_;
    Log &log_;
    DmaBufs all_; ///< those that were looked at last are last
    uint64_t ever_ = 0;
    bool told_ = false; ///< that one was closed which may be held
};

} // namespace vramlink

#endif
