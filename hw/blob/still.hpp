// SPDX-License-Identifier: GPL-2.0-or-later
//
// Still: memory for the last frame of a blob that has lost its own for a while: a memfd, mapped here and
// shared as a dma-buf, so that a consumer in another process can go on showing it. Thread: main loop.

#ifndef VRAMLINK_HW_BLOB_STILL_HPP
#define VRAMLINK_HW_BLOB_STILL_HPP

#include "hw/blob/resources.hpp"
#include "hw/view/mapping.hpp"
#include "hw/view/view_budgets.hpp"
#include "vramlink/budget.hpp"
#include "vramlink/error.hpp"
#include "vramlink/unique_fd.hpp"

#include <cstdint>
#include <utility>

namespace vramlink {

class Still {
  public:
    /// Zeroed. The error names the limit that it is over, or what udmabuf said.
    static Result<Still> make(uint32_t stride, uint32_t height, Resources &resources);

    [[nodiscard]] void *pixels() const noexcept { return pixels_.data(); }
    [[nodiscard]] int dmabuf() const noexcept { return dmabuf_.get(); }

  private:
    Still(ViewCharge charge, Charge descriptor, Mapping pixels, UniqueFd dmabuf) noexcept
        : charge_(std::move(charge)), descriptor_(std::move(descriptor)), pixels_(std::move(pixels)),
          dmabuf_(std::move(dmabuf))
    {
    }

    ViewCharge charge_;
    Charge descriptor_;
    Mapping pixels_;
    UniqueFd dmabuf_; ///< keeps the memfd's pages
};

} // namespace vramlink

#endif
