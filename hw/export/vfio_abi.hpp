// SPDX-License-Identifier: GPL-2.0-or-later
//
// The request of VFIO_DEVICE_FEATURE_DMA_BUF, as Linux has it since 6.19 (include/uapi/linux/vfio.h). Headers
// of older distributions lack it, so it stands here under names of our own; the layout is the kernel's for
// ever. And the two requests of vfio-pci-vram (kernel/vfio-pci-vram/uapi.h).

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

inline constexpr uint32_t feature_event = 0xfe0b; // VRAM_FEATURE_EVENTFD
inline constexpr uint32_t feature_state = 0xfe0c; // VRAM_FEATURE_STATE
inline constexpr uint32_t state_live = 0;         // VRAM_STATE_LIVE

/// struct vfio_device_feature with struct vram_feature_eventfd.
struct EventRequest {
    uint32_t argsz;
    uint32_t feature; ///< VFIO_DEVICE_FEATURE_SET | feature_event
    int32_t eventfd;
    uint32_t reserved; ///< must be 0
};

/// struct vfio_device_feature with struct vram_feature_state.
struct StateRequest {
    uint32_t argsz;
    uint32_t feature; ///< VFIO_DEVICE_FEATURE_GET | feature_state
    int32_t dmabuf;
    uint32_t state;      ///< answer: state_live, or revoked
    uint64_t generation; ///< answer
};

static_assert(sizeof(EventRequest) == 16);
static_assert(offsetof(EventRequest, eventfd) == sizeof(vfio_device_feature));
static_assert(sizeof(StateRequest) == 24);
static_assert(offsetof(StateRequest, dmabuf) == sizeof(vfio_device_feature));
static_assert(offsetof(StateRequest, generation) == 16);
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
