// SPDX-License-Identifier: GPL-2.0-or-later
//
// The request of VFIO_DEVICE_FEATURE_DMA_BUF, as Linux has it since 6.19 (include/uapi/linux/vfio.h). Headers
// of older distributions lack it, so it stands here under names of our own; the layout is the kernel's for
// ever.

#ifndef VRAMLINK_HW_EXPORT_VFIO_ABI_HPP
#define VRAMLINK_HW_EXPORT_VFIO_ABI_HPP

#include <linux/vfio.h>

#include <cstddef>
#include <cstdint>

namespace vramlink::vfio_abi {

inline constexpr uint32_t feature_dma_buf = 11; // VFIO_DEVICE_FEATURE_DMA_BUF

struct DmaRange {
    uint64_t offset; ///< in the VFIO region (the BAR), page aligned
    uint64_t length; ///< page aligned, not 0
};

/// struct vfio_device_feature with struct vfio_device_feature_dma_buf as its data; DmaRange[nr_ranges]
/// follow.
struct DmaBufRequest {
    uint32_t argsz;        ///< bytes of the request and its ranges
    uint32_t feature;      ///< VFIO_DEVICE_FEATURE_GET (and _PROBE) | feature_dma_buf
    uint32_t region_index; ///< VFIO_PCI_BAR0_REGION_INDEX and on
    uint32_t open_flags;   ///< O_RDONLY or O_RDWR, O_CLOEXEC
    uint32_t flags;        ///< must be 0
    uint32_t nr_ranges;
};

static_assert(sizeof(DmaRange) == 16);
static_assert(sizeof(DmaBufRequest) == 24);
static_assert(offsetof(DmaBufRequest, region_index) == sizeof(vfio_device_feature));
static_assert(offsetof(DmaBufRequest, feature) == offsetof(vfio_device_feature, flags));
static_assert(offsetof(DmaBufRequest, open_flags) == 12);
static_assert(offsetof(DmaBufRequest, flags) == 16);
static_assert(offsetof(DmaBufRequest, nr_ranges) == 20);
static_assert(sizeof(DmaBufRequest) % alignof(DmaRange) == 0, "ranges follow without a gap");

} // namespace vramlink::vfio_abi

#endif
