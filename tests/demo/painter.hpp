// SPDX-License-Identifier: GPL-2.0-or-later
//
// Painter: the guest's part of the demo, as a sequence of acts. It plays the GPU's driver.
//
//   show      three buffers of scattered VRAM pages, exported, imported, flipped through; repainted before
//   each flip revoke    the GPU is reset under a picture on screen; then its memory is switched off and every
//   way to the old
//             picture is tried
//   recover   memory on again, new buffers, the picture comes back
//
// Each act reports what it measured and stops at its checkpoints. Thread: one.

#ifndef VRAMLINK_TESTS_DEMO_PAINTER_HPP
#define VRAMLINK_TESTS_DEMO_PAINTER_HPP

#include <cstdint>
#include <vector>

#include "channel.hpp"
#include "guest_kms.hpp"
#include "scatter.hpp"
#include "scattered_buffer.hpp"
#include "vfio_gpu.hpp"
#include "vramlink/error.hpp"

namespace vramlink::demo {

inline constexpr unsigned kBuffers = 3;
inline constexpr unsigned kRecoveryFrames = 3;

struct Job {
    std::uint64_t seed = 1;
    std::uint32_t frames = 60;
    std::uint32_t width = 1920;
    std::uint32_t height = 1080;
    unsigned checkpoints = 8; ///< spread over the frames; the last frame always is one
};

/// True when the screen is to be examined after @p frame (1 ..): after the first frame, which must appear
/// without a second one to push it, and after @p checkpoints more, evenly spread, the last frame among them.
[[nodiscard]] constexpr bool is_checkpoint(std::uint32_t frame, std::uint32_t frames, unsigned checkpoints)
{
    const auto reached = [&](std::uint64_t f) { return f * checkpoints / frames; };
    return frame == 1 || reached(frame) != reached(frame - 1);
}

class Painter {
  public:
    /// All but @p job are borrowed.
    Painter(const Job &job, const VfioGpu &gpu, const GuestCard &card, Channel &channel)
        : job_(job), gpu_(gpu), card_(card), channel_(channel)
    {
    }

    /// All acts in order; the first error ends the performance.
    [[nodiscard]] Result<void> run();

  private:
    Result<void> make_buffers(std::uint64_t seed);
    Result<void> show_frame(std::uint32_t frame);
    Result<void> show();
    Result<void> revoke();
    Result<void> try_without_memory();
    Result<void> recover();
    Result<void> finish();

    Job job_;
    const VfioGpu &gpu_;
    const GuestCard &card_;
    Channel &channel_;
    std::vector<ScatteredBuffer> buffers_;
    bool on_screen_ = false; ///< the output shows one of buffers_; flips are possible
    std::int64_t paint_us_ = 0;
    std::int64_t flip_us_ = 0;
};

} // namespace vramlink::demo

#endif
