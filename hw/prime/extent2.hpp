// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_HW_PRIME_EXTENT2_HPP
#define VRAMLINK_HW_PRIME_EXTENT2_HPP

#include <cstdint>

namespace vramlink {

/// A width and a height, in a unit that its user names.
struct Extent2 {
    uint32_t width = 0, height = 0;
    bool operator==(const Extent2 &) const = default;
    [[nodiscard]] bool empty() const { return width == 0 || height == 0; }
};

} // namespace vramlink

#endif
