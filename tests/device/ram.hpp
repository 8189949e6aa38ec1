// SPDX-License-Identifier: GPL-2.0-or-later
//
// Ram: the guest's RAM, mapped by the test. What is written through the qtest protocol changes only while
// QEMU's main loop serves the test; what is written here changes at any moment, as by another vCPU or by a
// GPU.

#ifndef VRAMLINK_TESTS_DEVICE_RAM_HPP
#define VRAMLINK_TESTS_DEVICE_RAM_HPP

#include "tests/device/machine.hpp"

#include <cstdint>

namespace vramlink::test {

class Ram {
  public:
    /// @p machine has shared RAM (Machine::Options::shared_ram). Fails the test when it cannot be mapped.
    explicit Ram(Machine &machine);
    ~Ram();
    Ram(const Ram &) = delete;
    Ram &operator=(const Ram &) = delete;

    explicit operator bool() const { return map_ != nullptr; }
    /// What lies at the guest's address, which the caller has from vm_alloc().
    template <class T> [[nodiscard]] T *at(std::uint64_t gpa) const
    {
        return reinterpret_cast<T *>(map_ + gpa);
    }

  private:
    std::uint8_t *map_ = nullptr;
};

} // namespace vramlink::test

#endif
