// SPDX-License-Identifier: GPL-2.0-or-later
//
// StreamCopy: copying a frame that lies scattered over pages as fast as one memcpy of a whole frame.
//
// memcpy() writes past the caches when it is asked for much at once; asked page by page it does not, and
// reads each line of the target before it overwrites it. Nor does the processor look ahead into the next
// page, which lies somewhere else. Both are done here.

#ifndef VRAMLINK_HW_VIEW_STREAM_COPY_HPP
#define VRAMLINK_HW_VIEW_STREAM_COPY_HPP

#include <cstddef>
#include <cstdint>

namespace vramlink {

/// From this many bytes on it pays; what is smaller is read again soon, and better found in the caches.
inline constexpr uint64_t stream_copy_from = 1 << 20;

/// memcpy() past the caches. @p next is what will be copied soon, or null: it is fetched ahead, a page of
/// it at most. stream_copy_end() must follow the last one. Plain memcpy() where the processor has no such
/// stores, or where the addresses are not a multiple of 16.
void stream_copy(std::byte *to, const std::byte *from, uint64_t length, const std::byte *next) noexcept;
/// What was written can be read by everybody.
void stream_copy_end() noexcept;

} // namespace vramlink

#endif
