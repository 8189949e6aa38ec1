// SPDX-License-Identifier: GPL-2.0-or-later
//
// Arithmetic on numbers that a guest chose: an answer, or none when it does not fit 64 bits.

#ifndef VRAMLINK_CHECKED_HPP
#define VRAMLINK_CHECKED_HPP

#include <cstdint>
#include <optional>

namespace vramlink {

[[nodiscard]] constexpr std::optional<uint64_t> checked_add(uint64_t left, uint64_t right) noexcept
{
    uint64_t sum = 0;
    if (__builtin_add_overflow(left, right, &sum))
        return std::nullopt;
    return sum;
}

/// True when [offset, offset + length) lies inside [0, size). Cannot overflow.
[[nodiscard]] constexpr bool fits(uint64_t offset, uint64_t length, uint64_t size) noexcept
{
    return offset <= size && length <= size - offset;
}

} // namespace vramlink

#endif
