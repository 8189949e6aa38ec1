// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_PIXEL_COPY_HPP
#define VRAMLINK_TOOLS_VIEWER_PIXEL_COPY_HPP

#include "hw/prime/showable.hpp"
#include "tools/viewer/display_sink.hpp"

namespace vramlink {

/// Copies @p from to (@p x, @p y) of @p to, converting to XRGB8888 and cutting what lies outside. Returns the
/// bytes written.
uint64_t copy_pixels(const Pixels &from, uint32_t x, uint32_t y, Canvas &to);

} // namespace vramlink

#endif
