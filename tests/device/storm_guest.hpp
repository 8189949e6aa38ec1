// SPDX-License-Identifier: GPL-2.0-or-later
//
// StormGuest: a guest that flips between three numbered frames (storm_frame.h) in its passthrough GPU's
// memory as fast as it can, and loses that memory, or gives it away, in every way there is. As soon as a
// loss has gone through, the old memory is somebody else's: it is painted over, in a colour that nobody may
// ever see.
//
// Who gives a buffer away himself (DETACH_BACKING, UNREF, virtio reset) has to leave its memory alone until
// the host has flipped to another, as a driver does; here until the next flush has been answered.

#ifndef VRAMLINK_TESTS_DEVICE_STORM_GUEST_HPP
#define VRAMLINK_TESTS_DEVICE_STORM_GUEST_HPP

#include "tests/device/iommu.hpp"
#include "tests/device/nvme_gpu.hpp"
#include "tests/device/storm_crowd.hpp"

#include <array>
#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace vramlink::test {

class StormGuest {
  public:
    /// The machine that it runs in: the GPU behind a bridge, the virtio-gpu behind an IOMMU.
    [[nodiscard]] static Machine::Options machine();

    /// Calls @p tend now and then.
    StormGuest(Machine &machine, Board &board, unsigned seed, std::function<void()> tend);

    /// Some frames, then a loss of one kind or another.
    void revocation();
    /// One frame, flushed; fails the test when that is not answered.
    void frame();
    /// No blob is left; and all are there again, in other memory.
    void give_up();
    void start_again() { replace_all(); }

    struct Kind {
        const char *name;
        unsigned weight; ///< how often, of all
        void (StormGuest::*act)();
        std::vector<double> ms{}; ///< from the guest's write until it had gone through, each time
    };
    [[nodiscard]] const std::vector<Kind> &kinds() const { return kinds_; }
    /// Where the time goes: flips and their flushes, and losses; the rest is what the guest does between
    /// them.
    struct Spent {
        std::chrono::duration<double> frames{}, losses{};
    };
    [[nodiscard]] const Spent &spent() const { return spent_; }
    [[nodiscard]] std::uint32_t painted() const { return number_; }
    /// What it is doing, for messages.
    [[nodiscard]] std::string where() const;

  private:
    using Clock = std::chrono::steady_clock;

    struct Buffer {
        std::uint32_t id;
        std::vector<Entry> entries;
    };

    // Losses that the kernel carries out. @p lose may block; @p restore brings the memory back.
    void memory_off();
    void sleep();
    void reset_function();
    void move_bar();
    void unplug();
    void reset_bus();
    void unmap();
    void reset_machine();
    // What the guest does itself.
    void reset_virtio();
    void detach();
    void unref();

    void start_iommu();
    void map_memory();
    void lose(const std::function<void()> &way, const std::function<void()> &restore);
    void replace_after_loss();
    void replace_all();
    void create(Buffer &buffer);
    void attach_painted(Buffer &buffer, const char *what);
    void paint(const Buffer &buffer);
    std::vector<Entry> fresh_pages();
    void fill(const std::vector<Entry> &entries, const std::vector<std::uint32_t> &pixels);
    void paint_over(const std::vector<std::vector<Entry>> &pages);
    [[nodiscard]] std::vector<std::vector<Entry>> all_pages() const;
    void show_next();
    void begin_frame();
    void expect(std::uint32_t answer, const char *what, std::uint32_t wanted = VIRTIO_GPU_RESP_OK_NODATA);
    void wait_for_answers();
    void timed(const std::function<void()> &loss);
    void start_waiting();
    void stop_waiting();
    void raise_floor();
    std::uint32_t below(std::uint32_t low, std::uint32_t high);

    Machine &machine_;
    Board &board_;
    std::function<void()> tend_;
    std::mt19937 random_;
    NvmeGpu nvme_;
    Gpu gpu_;
    Iommu iommu_;
    std::vector<Kind> kinds_;
    Kind *kind_ = nullptr;
    Spent spent_;
    std::array<Buffer, 3> buffers_{{{10, {}}, {11, {}}, {12, {}}}};
    std::size_t shown_ = 0; ///< of buffers_
    std::uint32_t number_ = 0, next_page_ = 0, revocations_ = 0;
};

} // namespace vramlink::test

#endif
