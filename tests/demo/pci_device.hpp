// SPDX-License-Identifier: GPL-2.0-or-later
//
// Finding a PCI device in sysfs and giving it to vfio-pci.

#ifndef VRAMLINK_TESTS_DEMO_PCI_DEVICE_HPP
#define VRAMLINK_TESTS_DEMO_PCI_DEVICE_HPP

#include <cstdint>
#include <string>

#include "vramlink/error.hpp"

namespace vramlink::demo {

/// The address ("0000:01:00.0") of the first device with this vendor and device id; ENODEV when there is
/// none.
[[nodiscard]] Result<std::string> find_pci_device(std::uint16_t vendor, std::uint16_t device);

/// Makes vfio-pci the driver of @p address, whatever drove it before. The module must be loaded.
[[nodiscard]] Result<void> bind_to_vfio(const std::string &address);

/// The number of the device's IOMMU group; ENODEV when there is no IOMMU.
[[nodiscard]] Result<std::string> iommu_group_of(const std::string &address);

} // namespace vramlink::demo

#endif
