// SPDX-License-Identifier: GPL-2.0-or-later
//
// SharedRing: a guest that keeps a virtqueue full, on a vCPU of its own. A thread of the test writes the ring
// through a mapping of the machine's RAM, so that QEMU finds more to do whenever it looks.

#ifndef VRAMLINK_TESTS_DEVICE_SHARED_RING_HPP
#define VRAMLINK_TESTS_DEVICE_SHARED_RING_HPP

#include "tests/device/gpu.hpp"
#include "tests/device/ram.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace vramlink::test {

class SharedRing {
  public:
    enum class Queue { control, cursor };

    /// Nothing is under way in the queue, and nobody else uses it while this lives. All outlive it.
    SharedRing(Machine &machine, Gpu &gpu, Queue queue = Queue::control);
    /// As stop().
    ~SharedRing();
    SharedRing(const SharedRing &) = delete;
    SharedRing &operator=(const SharedRing &) = delete;

    /// From now on these commands (1, 2 or 4 of them) are offered over and over, until stop(), or until
    /// @p limit has passed, so that a device that does nothing else comes back.
    void refill(const std::vector<Bytes> &commands, std::chrono::milliseconds limit);
    void ring() { vm_gpu_ring_doorbell(gpu_.raw(), is_cursor()); }
    /// The limit has passed.
    [[nodiscard]] bool over() const { return over_; }
    /// Commands that the device has given back.
    [[nodiscard]] std::uint64_t answered() const { return answered_; }
    /// Ends it; returns when all has been answered. Fails the test when that does not happen in 20 s (times
    /// VRAMLINK_SLOW).
    void stop();

  private:
    [[nodiscard]] bool is_cursor() const { return queue_ == Queue::cursor; }
    [[nodiscard]] std::atomic_ref<std::uint16_t> index(std::uint64_t part) const;
    void write_descriptors(const std::vector<Bytes> &commands);
    void offer_all(unsigned heads);
    void keep_full(std::chrono::milliseconds limit);

    Machine &machine_;
    Gpu &gpu_;
    Ram ram_;
    Queue queue_;
    vm_ring_place place_;
    std::thread thread_;
    std::atomic<bool> stop_{false}, over_{false};
    std::atomic<std::uint64_t> answered_{0};
};

} // namespace vramlink::test

#endif
