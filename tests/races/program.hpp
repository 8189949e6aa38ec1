// SPDX-License-Identifier: GPL-2.0-or-later
//
// Program: what one vCPU does in a round (page.h), in the words of the operations.

#ifndef VRAMLINK_TESTS_RACES_PROGRAM_HPP
#define VRAMLINK_TESTS_RACES_PROGRAM_HPP

#include "tests/races/bios/page.h"

#include <cstdint>
#include <stdexcept>
#include <vector>

namespace vramlink::test {

class Program {
  public:
    Program &write8(std::uint64_t at, std::uint32_t value) { return add(RACE_WRITE8, low(at), value); }
    Program &write16(std::uint64_t at, std::uint32_t value) { return add(RACE_WRITE16, low(at), value); }
    Program &write32(std::uint64_t at, std::uint32_t value) { return add(RACE_WRITE32, low(at), value); }
    Program &out32(std::uint32_t port, std::uint32_t value) { return add(RACE_OUT32, port, value); }
    Program &config8(std::uint32_t at, std::uint32_t value) { return add(RACE_CONFIG8, at, value); }
    Program &config16(std::uint32_t at, std::uint32_t value) { return add(RACE_CONFIG16, at, value); }
    Program &config32(std::uint32_t at, std::uint32_t value) { return add(RACE_CONFIG32, at, value); }
    Program &check(std::uint32_t at, std::uint32_t value, std::uint32_t times)
    {
        return add(RACE_CHECK, at, value, times);
    }
    Program &alternate(std::uint64_t at, std::uint32_t one, std::uint32_t other, std::uint32_t pauses)
    {
        return add(RACE_ALTERNATE, low(at), one, other, pauses);
    }
    Program &copy(std::uint64_t to, std::uint64_t from, std::uint32_t size)
    {
        return add(RACE_COPY, low(to), low(from), size);
    }
    /// @p least pauses, and fewer than @p span more, drawn each time.
    Program &spin(std::uint32_t least, std::uint32_t span) { return add(RACE_SPIN, least, span); }
    /// Goes on when @p count vCPUs are here.
    Program &meet(std::uint32_t barrier, std::uint32_t count) { return add(RACE_ARRIVE, barrier, count); }
    /// Offers the chain at @p head, and waits for its end.
    Program &command(std::uint32_t queue, std::uint32_t head)
    {
        return offer(queue, head).add(RACE_USED, queue);
    }
    Program &offer(std::uint32_t queue, std::uint32_t head) { return add(RACE_OFFER, queue, head); }
    Program &refill(std::uint32_t queue, std::uint32_t pauses) { return add(RACE_REFILL, queue, pauses); }
    Program &tally(std::uint64_t answer) { return add(RACE_TALLY, low(answer)); }
    /// All since op @p from once more, @p times; 0: until the round is stopped.
    Program &again(std::uint32_t from, std::uint32_t times) { return add(RACE_LOOP, from, times); }

    [[nodiscard]] const std::vector<race_op> &ops() const { return ops_; }
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(ops_.size()); }

  private:
    static std::uint32_t low(std::uint64_t address)
    {
        if (address > UINT32_MAX)
            throw std::logic_error("a vCPU of the hostile guest reaches addresses below 4 GiB only");
        return static_cast<std::uint32_t>(address);
    }
    Program &add(race_code code, std::uint32_t a, std::uint32_t b = 0, std::uint32_t c = 0,
                 std::uint32_t d = 0)
    {
        if (ops_.size() + 1 >= RACE_OPS)
            throw std::logic_error("a program of the hostile guest is too long");
        ops_.push_back({code, a, b, c, d});
        return *this;
    }
    std::vector<race_op> ops_;
};

} // namespace vramlink::test

#endif
