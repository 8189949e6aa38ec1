// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/view/stream_copy.hpp"

#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace vramlink {

#ifdef __SSE2__
namespace {

constexpr uint64_t line = 64; ///< bytes that are fetched and written at a time
constexpr uint64_t ahead = 4096;

bool aligned(const void *address)
{
    return reinterpret_cast<uintptr_t>(address) % sizeof(__m128i) == 0;
}

} // namespace

void stream_copy(std::byte *to, const std::byte *from, uint64_t length, const std::byte *next) noexcept
{
    uint64_t done = 0;
    if (aligned(to) && aligned(from)) {
        for (; length - done >= line; done += line) {
            const auto *source = reinterpret_cast<const __m128i *>(from + done);
            auto *target = reinterpret_cast<__m128i *>(to + done);
            if (next != nullptr && done < ahead)
                __builtin_prefetch(next + done);
            const __m128i a = _mm_load_si128(source);
            const __m128i b = _mm_load_si128(source + 1);
            const __m128i c = _mm_load_si128(source + 2);
            const __m128i d = _mm_load_si128(source + 3);
            _mm_stream_si128(target, a);
            _mm_stream_si128(target + 1, b);
            _mm_stream_si128(target + 2, c);
            _mm_stream_si128(target + 3, d);
        }
    }
    std::memcpy(to + done, from + done, length - done);
}

void stream_copy_end() noexcept
{
    _mm_sfence();
}
#else
void stream_copy(std::byte *to, const std::byte *from, uint64_t length, const std::byte * /*next*/) noexcept
{
    std::memcpy(to, from, length);
}

void stream_copy_end() noexcept {}
#endif

} // namespace vramlink
