// SPDX-License-Identifier: GPL-2.0-or-later
//
// Random: the numbers of one stream. The same seed gives the same stream, on every machine: that is what a
// finding is repeated with, so nothing here depends on the standard library's distributions.

#ifndef VRAMLINK_TESTS_DEVICE_FUZZ_RANDOM_HPP
#define VRAMLINK_TESTS_DEVICE_FUZZ_RANDOM_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>

namespace vramlink::test {

class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    [[nodiscard]] std::uint64_t any() { return engine_(); }
    /// A number in [low, high].
    [[nodiscard]] std::uint64_t in(std::uint64_t low, std::uint64_t high)
    {
        const std::uint64_t span = high - low;
        return span == ~std::uint64_t{0} ? any() : low + any() % (span + 1);
    }
    [[nodiscard]] std::uint32_t in32(std::uint32_t low, std::uint32_t high)
    {
        return static_cast<std::uint32_t>(in(low, high));
    }
    [[nodiscard]] bool chance(unsigned percent) { return in(0, 99) < percent; }
    template <class T, std::size_t N> [[nodiscard]] T one_of(const std::array<T, N> &values)
    {
        return values[in(0, N - 1)];
    }
    /// A number near those where arithmetic goes wrong.
    [[nodiscard]] std::uint32_t edge()
    {
        static constexpr std::array<std::uint32_t, 12> edges{
            0, 1, 15, 16, 4095, 4096, 16384, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff};
        const std::uint32_t near = one_of(edges);
        return chance(70) ? near : near + in32(0, 4) - 2;
    }

  private:
    std::mt19937_64 engine_;
};

} // namespace vramlink::test

#endif
