// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/races/ring.hpp"

#include "tests/races/finding.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace vramlink::test {

namespace {

constexpr std::uint16_t another_follows = 1, device_writes = 2; ///< VRING_DESC_F_NEXT, VRING_DESC_F_WRITE
constexpr std::uint32_t most_slots = 32;
constexpr std::uint64_t room = Ring::request_room + Ring::answer_room;

} // namespace

Ring::Ring(Guest &guest, unsigned queue)
    : guest_(guest), queue_(queue), memory_(vm_alloc(guest.machine.raw(), most_slots * room))
{
}

void Ring::refresh(vm_gpu *gpu)
{
    gpu_ = gpu;
    used_slots_ = 0;
    vm_gpu_queue_place(gpu, static_cast<int>(queue_), &place_);
    slots_ = std::min(place_.size / 2, most_slots);
    auto &queue = guest_.page().queue[queue_];
    queue = {static_cast<std::uint32_t>(place_.desc),   static_cast<std::uint32_t>(place_.avail),
             static_cast<std::uint32_t>(place_.used),   place_.size,
             static_cast<std::uint32_t>(place_.notify), queue_};
}

Ring::Placed Ring::describe(std::uint32_t slot, std::uint64_t request, std::uint32_t size)
{
    const std::uint32_t head = 2 * slot;
    const std::uint64_t answer = memory_ + slot * room + request_room;
    const std::uint16_t flags = queue_ == 0 ? another_follows : 0;
    const vm_descriptor chain[2] = {{request, size, flags, static_cast<std::uint16_t>(head + 1)},
                                    {answer, answer_room, device_writes, 0}};
    std::memcpy(guest_.at(descriptor(head)), chain, sizeof chain);
    return {head, request, answer, size};
}

Ring::Placed Ring::write(std::uint32_t slot, const Bytes &request)
{
    const std::uint64_t at = memory_ + slot * room;
    if (request.size() > request_room)
        throw std::logic_error("a request of more bytes than a Ring has room for");
    std::memset(guest_.at(at), 0, request_room);
    std::memcpy(guest_.at(at), request.data(), request.size());
    return describe(slot, at, static_cast<std::uint32_t>(request.size()));
}

Ring::Placed Ring::place(const Bytes &request)
{
    if (used_slots_ + 1 >= slots_)
        throw std::logic_error("more commands than the queue has places");
    return write(used_slots_++, request);
}

Ring::Placed Ring::place_at(std::uint64_t request, std::uint32_t size)
{
    return describe(used_slots_++, request, size);
}

Ring::Placed Ring::spare(const Bytes &request)
{
    return write(slots_ - 1, request);
}

std::uint32_t Ring::send(const Placed &placed, int timeout_ms)
{
    auto *avail = guest_.at<std::uint16_t>(place_.avail);
    const auto *used = guest_.at<std::uint16_t>(place_.used);
    const std::uint16_t index = avail[1];
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience(timeout_ms));
    *guest_.at<std::uint32_t>(placed.answer) = 0;
    avail[2 + index % place_.size] = static_cast<std::uint16_t>(placed.head);
    __sync_synchronize();
    avail[1] = static_cast<std::uint16_t>(index + 1);
    __sync_synchronize();
    vm_gpu_ring_bell(gpu_, static_cast<int>(queue_));
    while (used[1] != avail[1]) {
        if (std::chrono::steady_clock::now() > end)
            return no_answer;
        guest_.check_alive();
        std::this_thread::yield();
    }
    return *guest_.at<std::uint32_t>(placed.answer);
}

void Ring::fill_with(std::uint32_t head)
{
    for (std::uint32_t i = 0; i < place_.size; i++)
        *guest_.at<std::uint16_t>(head_at(i)) = static_cast<std::uint16_t>(head);
}

} // namespace vramlink::test
