// SPDX-License-Identifier: GPL-2.0-or-later
//
// The plan: how a blob reaches its consumers, decided from the shape of its memory alone. No system call.

#ifndef VRAMLINK_HW_BLOB_PLAN_HPP
#define VRAMLINK_HW_BLOB_PLAN_HPP

#include "vramlink/blob_table.h"
#include "vramlink/extent.hpp"

#include <cstdint>
#include <string>

namespace vramlink {

/// Which exporter can make a dma-buf of it.
enum class ShareBy : uint8_t { None, Vfio, Udmabuf };

/// How the CPU sees it in one piece.
enum class ViewBy : uint8_t {
    Direct, ///< one extent, and the VMM has it mapped
    Mapped, ///< extents mapped side by side
    Copied, ///< gathered into a shadow buffer
};

struct PlanChoice {
    ShareBy share = ShareBy::None;
    ViewBy view = ViewBy::Copied;
    std::string reason; ///< in words: why this one and none better
};

/// @p memory is not empty and every region in it is readable (RegionRegistry has checked).
///
/// Vfio: all extents page aligned in one BAR. Udmabuf: all in memfds, page aligned. A dma-buf consists of
/// whole pages, so the last extent must end at one, too. Mapped: every piece has an fd and starts at a page
/// of it; only the last may end inside one.
[[nodiscard]] PlanChoice choose_plan(const ExtentList &memory);

/// What the plan is called when nothing is shared.
[[nodiscard]] constexpr vrl_plan unshared_plan(ViewBy view) noexcept
{
    return view == ViewBy::Copied ? VRL_PLAN_COPIED : VRL_PLAN_MAPPED;
}

[[nodiscard]] const char *plan_name(vrl_plan plan) noexcept;

} // namespace vramlink

#endif
