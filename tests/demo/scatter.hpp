// SPDX-License-Identifier: GPL-2.0-or-later
//
// PageDealer: hands out VRAM in single 4 KiB pages, shuffled, as a GPU driver does when its memory is
// fragmented.
//
// The order follows from the seed alone. No page is dealt twice. As far as the remaining pages allow it, no
// page is followed by one of its two neighbours, so that a buffer of n pages has n ranges after any merging.

#ifndef VRAMLINK_TESTS_DEMO_SCATTER_HPP
#define VRAMLINK_TESTS_DEMO_SCATTER_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vramlink/error.hpp"

namespace vramlink::demo {

inline constexpr std::uint64_t kPageBytes = 4096;

/// How many pages @p bytes fill.
[[nodiscard]] constexpr std::uint64_t pages_for(std::uint64_t bytes)
{
    return bytes / kPageBytes + (bytes % kPageBytes != 0 ? 1 : 0);
}

/// Refuses with all the numbers when @p buffers framebuffers of 4 bytes a pixel do not fit @p vram_bytes.
[[nodiscard]] Result<void> check_fit(std::uint64_t vram_bytes, unsigned buffers, std::uint32_t width,
                                     std::uint32_t height);

class PageDealer {
  public:
    PageDealer(std::uint64_t vram_bytes, std::uint64_t seed);

    /// The byte offsets in VRAM of @p count pages; ENOSPC when fewer are left.
    [[nodiscard]] Result<std::vector<std::uint64_t>> deal(std::size_t count);

  private:
    std::uint64_t draw_away_from(std::uint64_t previous);

    std::vector<std::uint64_t> deck_; ///< page numbers; dealt from the back
};

} // namespace vramlink::demo

#endif
