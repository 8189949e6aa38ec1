// SPDX-License-Identifier: GPL-2.0-or-later
#include "scatter.hpp"

#include <cerrno>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/core.h>

namespace vramlink::demo {

namespace {

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

/// A small generator whose sequence is the same with every C++ library (std::shuffle's is not).
class Sequence {
  public:
    explicit Sequence(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next()
    {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  private:
    std::uint64_t state_;
};

bool neighbours(std::uint64_t a, std::uint64_t b)
{
    return a != kNone && (a == b + 1 || b == a + 1);
}

} // namespace

Result<void> check_fit(std::uint64_t vram_bytes, unsigned buffers, std::uint32_t width, std::uint32_t height)
{
    const std::uint64_t each = pages_for(std::uint64_t{4} * width * height) * kPageBytes;
    if (each * buffers <= vram_bytes)
        return {};
    return fail(ENOSPC,
                fmt::format("{} framebuffers of {}x{} need {} bytes of VRAM in whole pages, but the BAR "
                            "holds {} bytes ({} MiB)",
                            buffers, width, height, each * buffers, vram_bytes, vram_bytes >> 20));
}

PageDealer::PageDealer(std::uint64_t vram_bytes, std::uint64_t seed) : deck_(vram_bytes / kPageBytes)
{
    std::iota(deck_.begin(), deck_.end(), std::uint64_t{0});
    Sequence sequence(seed);
    for (std::size_t left = deck_.size(); left > 1; --left)
        std::swap(deck_[left - 1], deck_[sequence.below(left)]);
}

std::uint64_t PageDealer::draw_away_from(std::uint64_t previous)
{
    for (std::size_t back = 1; back <= deck_.size() && neighbours(previous, deck_.back()); ++back)
        std::swap(deck_.back(), deck_[deck_.size() - back]);
    const std::uint64_t page = deck_.back();
    deck_.pop_back();
    return page;
}

Result<std::vector<std::uint64_t>> PageDealer::deal(std::size_t count)
{
    if (count > deck_.size())
        return fail(ENOSPC, fmt::format("{} pages of VRAM wanted, {} left", count, deck_.size()));
    std::vector<std::uint64_t> offsets;
    offsets.reserve(count);
    std::uint64_t previous = kNone;
    while (offsets.size() < count) {
        previous = draw_away_from(previous);
        offsets.push_back(previous * kPageBytes);
    }
    return offsets;
}

} // namespace vramlink::demo
