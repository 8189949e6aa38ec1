// SPDX-License-Identifier: GPL-2.0-or-later
//
// ScatteredBuffer: a framebuffer in single pages of VRAM, its dma-buf, and its import into the guest's
// display.
//
// Members are released in the order that a GPU driver's own clean-up has: framebuffer and GEM handle first,
// then the dma-buf. The GPU and the card must outlive it. Thread: one.

#ifndef VRAMLINK_TESTS_DEMO_SCATTERED_BUFFER_HPP
#define VRAMLINK_TESTS_DEMO_SCATTERED_BUFFER_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "guest_kms.hpp"
#include "test_card.hpp"
#include "vfio_gpu.hpp"
#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

namespace vramlink::demo {

class ScatteredBuffer {
  public:
    /// Exports the pages (byte offsets in VRAM) as one dma-buf and imports that into @p card.
    [[nodiscard]] static Result<ScatteredBuffer> make(const VfioGpu &gpu, const GuestCard &card,
                                                      std::vector<std::uint64_t> pages);

    /// Paints the test card into the pages, row after row.
    void paint(const TestCard &card, std::span<std::byte> vram) const;

    [[nodiscard]] const GuestFramebuffer &framebuffer() const noexcept { return framebuffer_; }
    [[nodiscard]] std::size_t pages() const noexcept { return pages_.size(); }
    [[nodiscard]] std::int64_t export_us() const noexcept { return export_us_; }
    [[nodiscard]] std::int64_t import_us() const noexcept { return import_us_; }

  private:
    std::vector<std::uint64_t> pages_;
    UniqueFd dmabuf_;
    GuestFramebuffer framebuffer_;
    std::int64_t export_us_ = 0;
    std::int64_t import_us_ = 0;
};

} // namespace vramlink::demo

#endif
