// SPDX-License-Identifier: GPL-2.0-or-later
//
// UdmabufExporter: scattered pages of memfds (guest RAM) as one dma-buf, through /dev/udmabuf.
//
// The kernel takes memfds that are sealed against shrinking and not against writing, page aligned ranges, and
// at most as many as the module's parameter list_limit says (1024 unless set; Linux:
// drivers/dma-buf/udmabuf.c).

#ifndef VRAMLINK_HW_EXPORT_UDMABUF_EXPORTER_HPP
#define VRAMLINK_HW_EXPORT_UDMABUF_EXPORTER_HPP

#include "hw/export/exporter.hpp"
#include "vramlink/device_calls.hpp"

namespace vramlink {

class UdmabufExporter final : public Exporter {
  public:
    explicit UdmabufExporter(DeviceCalls &calls) noexcept : calls_(calls) {}

    /// All extents lie in regions of kind SharedRam. Opens the device for each export: exports are rare.
    Result<UniqueFd> export_from(const ExtentList &memory, uint64_t start) override;

  private:
    DeviceCalls &calls_;
};

} // namespace vramlink

#endif
