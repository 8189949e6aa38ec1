// SPDX-License-Identifier: GPL-2.0-or-later
//
// The host's page: the unit in which VFIO, udmabuf and mmap() take memory.

#ifndef VRAMLINK_PAGE_HPP
#define VRAMLINK_PAGE_HPP

#include <unistd.h>

#include <cstdint>

namespace vramlink {

/// Bytes in a page of the host.
[[nodiscard]] inline uint64_t page_size() noexcept
{
    static const auto size = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

[[nodiscard]] inline uint64_t page_down(uint64_t bytes) noexcept
{
    return bytes & ~(page_size() - 1);
}

/// The caller knows that @p bytes is at least a page below 2^64.
[[nodiscard]] inline uint64_t page_up(uint64_t bytes) noexcept
{
    return page_down(bytes + page_size() - 1);
}

[[nodiscard]] inline bool page_aligned(uint64_t bytes) noexcept
{
    return page_down(bytes) == bytes;
}

} // namespace vramlink

#endif
