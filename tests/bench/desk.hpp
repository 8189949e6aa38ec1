// SPDX-License-Identifier: GPL-2.0-or-later
//
// Desk: a QEMU on the bench, and what its guest says: the commands of one frame as bytes, to be offered in
// one go.

#ifndef VRAMLINK_TESTS_BENCH_DESK_HPP
#define VRAMLINK_TESTS_BENCH_DESK_HPP

#include "tests/bench/measures.hpp"
#include "tests/bench/probe.hpp"
#include "tests/device/consumer.hpp"
#include "tests/device/ground.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace vramlink::test {

inline constexpr unsigned bar_slot = 5;
inline constexpr unsigned bar_mebibytes = 256;

/// The device with VRAM: the lab's GPU of 256 MiB through VFIO, or an ivshmem of that size.
[[nodiscard]] std::string vram_device(Where where);

struct FrameSize {
    std::uint32_t width, height;
    [[nodiscard]] std::uint64_t bytes() const { return std::uint64_t{4} * width * height; }
    [[nodiscard]] std::uint32_t pages() const
    {
        return static_cast<std::uint32_t>((bytes() + page - 1) / page);
    }
};
inline constexpr FrameSize full_hd{1920, 1080}, uhd{3840, 2160};

class Desk {
  public:
    Desk(const Machine::Options &options, bool with_consumer);

    /// Gives the VRAM an address under which all of it answers. @returns it.
    std::uint64_t map_vram();
    /// What to do when all is offered and nothing has rung yet, and when all is answered.
    struct Watch {
        std::function<void()> rings, answered;
    };
    /// Offers all and waits for the answers; ends the program when one is missing.
    void run(const std::vector<Bytes> &commands, const Watch &watch = {});

    Machine machine;
    Gpu gpu;
    Consumer consumer{nullptr, stuck_consumer_free};
};

[[nodiscard]] Bytes set_scanout_bytes(std::uint32_t id, FrameSize size);
[[nodiscard]] Bytes flush_bytes(std::uint32_t id, FrameSize size);
[[nodiscard]] Bytes transfer_bytes(std::uint32_t id);

/// Ends the program with a sentence unless @p good.
void require(bool good, const std::string &what);

// The rows; each sets its measures.
void bench_plan(Where where, Measures &measures);     // bench_plan.cpp
void bench_hot_path(Where where, Measures &measures); // bench_hot.cpp
void bench_first_frame(Measures &measures);           // bench_frame.cpp
void bench_revocation(Measures &measures);            // bench_revoke.cpp
void bench_desktop(Measures &measures);               // bench_desktop.cpp
void bench_memory(Where where, Measures &measures);   // bench_memory.cpp

} // namespace vramlink::test

#endif
