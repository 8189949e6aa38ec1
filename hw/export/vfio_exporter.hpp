// SPDX-License-Identifier: GPL-2.0-or-later
//
// VfioExporter: scattered ranges of one BAR of a VFIO device as one dma-buf (VFIO_DEVICE_FEATURE_DMA_BUF).
//
// The kernel takes ranges in any order, without a limit on their number, all in one region. The dma-buf is
// opened read-only: hosts only look at the picture. Export succeeds while the device's memory is switched
// off; importers get ENODEV then (Linux: drivers/vfio/pci/vfio_pci_dmabuf.c).

#ifndef VRAMLINK_HW_EXPORT_VFIO_EXPORTER_HPP
#define VRAMLINK_HW_EXPORT_VFIO_EXPORTER_HPP

#include "hw/export/exporter.hpp"
#include "vramlink/device_calls.hpp"

namespace vramlink {

class VfioExporter final : public Exporter {
  public:
    explicit VfioExporter(DeviceCalls &calls) noexcept : calls_(calls) {}

    /// All extents lie in one region of kind VfioBar. Allocates the request, nothing else.
    Result<UniqueFd> export_from(const ExtentList &memory, uint64_t start) override;
    /// Whether the device behind @p bar can export at all; asks the kernel, makes nothing.
    Result<void> probe(const Region &bar);

  private:
    DeviceCalls &calls_;
};

} // namespace vramlink

#endif
