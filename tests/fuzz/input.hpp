// SPDX-License-Identifier: GPL-2.0-or-later
//
// Input: a fuzzer's bytes, taken as numbers from the front. When they are used up every number is the lowest.

#ifndef VRAMLINK_TESTS_FUZZ_INPUT_HPP
#define VRAMLINK_TESTS_FUZZ_INPUT_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace vramlink::test {

class Input {
  public:
    explicit Input(std::span<const uint8_t> bytes) : left_(bytes) {}

    [[nodiscard]] bool empty() const { return left_.empty(); }
    template <class T> T any()
    {
        T value{};
        const size_t size = std::min(sizeof value, left_.size());
        std::memcpy(&value, left_.data(), size);
        left_ = left_.subspan(size);
        return value;
    }
    bool yes() { return (any<uint8_t>() & 1U) != 0; }
    /// @p percent of all bytes mean yes.
    bool chance(unsigned percent) { return any<uint8_t>() * 100U < percent * 256U; }
    /// A number in [low, high]; takes as few bytes as that needs.
    uint64_t in(uint64_t low, uint64_t high)
    {
        const uint64_t span = high - low;
        const uint64_t value = span <= 0xff     ? any<uint8_t>()
                               : span <= 0xffff ? any<uint16_t>()
                                                : any<uint64_t>();
        return span == ~uint64_t{0} ? value : low + value % (span + 1);
    }
    uint32_t in32(uint32_t low, uint32_t high) { return static_cast<uint32_t>(in(low, high)); }
    template <class Container> const auto &one_of(const Container &from)
    {
        return from[in(0, from.size() - 1)];
    }
    std::vector<uint8_t> bytes(size_t count)
    {
        const auto part = left_.first(std::min(count, left_.size()));
        left_ = left_.subspan(part.size());
        return {part.begin(), part.end()};
    }

  private:
    std::span<const uint8_t> left_;
};

} // namespace vramlink::test

#endif
