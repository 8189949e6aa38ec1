// SPDX-License-Identifier: GPL-2.0-or-later
//
// Ring: a virtqueue of the device, in mapped guest RAM. The test and the guest's vCPUs drive the same one: a
// command is placed once, and then offered by its head as often as one likes.

#ifndef VRAMLINK_TESTS_RACES_RING_HPP
#define VRAMLINK_TESTS_RACES_RING_HPP

#include "tests/races/guest.hpp"

namespace vramlink::test {

class Ring {
  public:
    /// @p queue: 0 the control queue, 1 the cursor queue, which has no answers.
    Ring(Guest &guest, unsigned queue);

    /// The device has been reset and negotiated with: nothing is placed, nothing offered.
    void refresh(vm_gpu *gpu);

    struct Placed {
        std::uint32_t head;
        std::uint64_t request, answer; ///< guest-physical
        std::uint32_t size;            ///< of the request
    };
    /// Writes a command and its descriptors to free places. Half as many as the queue has places, less one,
    /// and 31 at most.
    Placed place(const Bytes &request);
    /// The same for a request of any size that lies at @p request already.
    Placed place_at(std::uint64_t request, std::uint32_t size);

    /// From the test, while the vCPUs stand still: the answer's type, or no_answer.
    std::uint32_t send(const Placed &placed, int timeout_ms = 10'000);
    std::uint32_t send(const Bytes &request) { return send(spare(request)); }

    /// All heads of the available ring become @p head, for Program::refill().
    void fill_with(std::uint32_t head);
    [[nodiscard]] std::uint64_t descriptor(std::uint32_t number) const { return place_.desc + 16 * number; }
    [[nodiscard]] std::uint64_t head_at(std::uint32_t number) const { return place_.avail + 4 + 2 * number; }
    [[nodiscard]] const vm_queue_place &where() const { return place_; }

    static constexpr std::uint32_t request_room = 4096, answer_room = 2048;

  private:
    /// The last place, used again and again.
    Placed spare(const Bytes &request);
    Placed describe(std::uint32_t slot, std::uint64_t request, std::uint32_t size);
    Placed write(std::uint32_t slot, const Bytes &request);

    Guest &guest_;
    unsigned queue_;
    vm_gpu *gpu_ = nullptr;
    vm_queue_place place_{};
    std::uint32_t slots_ = 0; ///< pairs of descriptors that are used
    std::uint64_t memory_;    ///< requests and answers
    std::uint32_t used_slots_ = 0;
};

} // namespace vramlink::test

#endif
