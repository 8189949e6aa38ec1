// SPDX-License-Identifier: GPL-2.0-or-later
//
// The guest's driver of a virtio-iommu (virtio 1.3, 5.13.6): one domain, through the request queue. Devices
// that are not attached are not translated.

#ifndef VRAMLINK_TESTS_DEVICE_IOMMU_HPP
#define VRAMLINK_TESTS_DEVICE_IOMMU_HPP

#include "tests/device/machine.hpp"

#include <cstdint>
#include <string>

namespace vramlink::test {

class Iommu {
  public:
    static constexpr unsigned slot = 7;
    /// Of QEMU's command line, before the devices that it translates for.
    [[nodiscard]] static std::string device();

    explicit Iommu(Machine &machine);
    /// From now on it translates for the device in this slot of bus 0.
    void attach(unsigned device_slot);
    /// @p first and @p size: bytes, of whole pages.
    void map(std::uint64_t first, std::uint64_t size, std::uint64_t physical);
    void unmap(std::uint64_t first, std::uint64_t size);
    /// After a reset of the machine: nothing is attached or mapped.
    void restart();

  private:
    template <class Request> int send(const Request &request);

    vm_gpu *device_;
};

} // namespace vramlink::test

#endif
