// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/device/shared_ring.hpp"

#define VIRTIO_RING_NO_LEGACY // which is no C++
#include <linux/virtio_ring.h>

#include <gtest/gtest.h>

#include <cstring>

namespace vramlink::test {

namespace {

/// The longest answer that a command of the control queue gets here.
constexpr std::uint32_t answer_size = sizeof(virtio_gpu_resp_display_info);

} // namespace

SharedRing::SharedRing(Machine &machine, Gpu &gpu, Queue queue)
    : machine_(machine), gpu_(gpu), ram_(machine), queue_(queue),
      place_(vm_gpu_ring_place(gpu.raw(), queue == Queue::cursor))
{
}

SharedRing::~SharedRing()
{
    stop();
}

/// Of the available or the used ring: flags come first in both.
std::atomic_ref<std::uint16_t> SharedRing::index(std::uint64_t part) const
{
    return std::atomic_ref(*ram_.at<std::uint16_t>(part + sizeof(std::uint16_t)));
}

void SharedRing::write_descriptors(const std::vector<Bytes> &commands)
{
    const std::uint64_t answer = vm_alloc(machine_.raw(), answer_size);
    auto *table = ram_.at<vring_desc>(place_.descriptors);
    for (std::size_t i = 0; i < commands.size(); i++) {
        const auto size = static_cast<std::uint32_t>(commands[i].size());
        const std::uint64_t request = vm_alloc(machine_.raw(), size);
        const auto second = static_cast<std::uint16_t>(2 * i + 1);
        std::memcpy(ram_.at<std::uint8_t>(request), commands[i].data(), size);
        const std::uint16_t more = is_cursor() ? 0 : VRING_DESC_F_NEXT;
        table[2 * i] = {request, size, more, second};
        table[second] = {answer, answer_size, VRING_DESC_F_WRITE, 0};
    }
}

/// Each place of the available ring names one of the commands for good; its index alone moves.
void SharedRing::offer_all(unsigned heads)
{
    auto *places = ram_.at<std::uint16_t>(place_.available + offsetof(vring_avail, ring));
    for (unsigned i = 0; i < place_.size; i++)
        places[i] = static_cast<std::uint16_t>(2 * (i % heads));
}

void SharedRing::refill(const std::vector<Bytes> &commands, std::chrono::milliseconds limit)
{
    if (!ram_)
        return;
    write_descriptors(commands);
    offer_all(static_cast<unsigned>(commands.size()));
    thread_ = std::thread([this, limit] { keep_full(limit); });
}

void SharedRing::keep_full(std::chrono::milliseconds limit)
{
    // Sleeping, it is woken while QEMU works off the ring, also where CPUs are few; one that spins has had
    // its share.
    constexpr auto pause = std::chrono::microseconds(50);
    const auto end = std::chrono::steady_clock::now() + limit;
    std::uint16_t seen = index(place_.used);
    while (!stop_ && !over_) {
        const std::uint16_t used = index(place_.used).load(std::memory_order_acquire);
        answered_ += static_cast<std::uint16_t>(used - seen);
        seen = used;
        index(place_.available)
            .store(static_cast<std::uint16_t>(used + place_.size), std::memory_order_release);
        over_ = std::chrono::steady_clock::now() > end;
        std::this_thread::sleep_for(pause);
    }
}

void SharedRing::stop()
{
    if (!thread_.joinable())
        return;
    constexpr int limit_ms = 20'000;
    stop_ = true;
    thread_.join();
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience(limit_ms));
    ring();
    while (index(place_.used) != index(place_.available) && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(index(place_.used), index(place_.available)) << "commands were never answered";
    vm_gpu_ring_return(gpu_.raw(), is_cursor());
}

} // namespace vramlink::test
