// SPDX-License-Identifier: GPL-2.0-or-later
//
// Geometry of a framebuffer in a blob. Everything in SET_SCANOUT_BLOB is the guest's choice.

#ifndef VRAMLINK_HW_BLOB_FRAMEBUFFER_HPP
#define VRAMLINK_HW_BLOB_FRAMEBUFFER_HPP

#include "hw/blob/refusal.hpp"
#include "hw/view/cpu_view.hpp"
#include "vramlink/blob_table.h"

#include <cstdint>
#include <optional>

namespace vramlink {

using FramebufferRequest = vrl_framebuffer_request;

/// Checks @p request against a blob of @p blob_size bytes.
Answer<vrl_framebuffer> make_framebuffer(uint64_t blob_size, const FramebufferRequest &request);

/// The byte behind the last pixel of @p fb, in whichever plane; none when that does not fit 64 bits or the
/// rectangle is empty.
[[nodiscard]] std::optional<uint64_t> framebuffer_end(const vrl_framebuffer &fb) noexcept;

/// From the first pixel's byte to behind the last one's, over all planes; none as above.
[[nodiscard]] std::optional<BlobRange> framebuffer_range(const vrl_framebuffer &fb) noexcept;

} // namespace vramlink

#endif
