// SPDX-License-Identifier: GPL-2.0-or-later
//
// The one piece of VFIO's ABI that Debian 12's <linux/vfio.h> does not know yet: the export of dma-bufs
// (VFIO_DEVICE_FEATURE_DMA_BUF, Linux 6.19 and later). Layouts are frozen by the kernel's ABI.

#ifndef VRAMLINK_TESTS_DEMO_VFIO_UAPI_HPP
#define VRAMLINK_TESTS_DEMO_VFIO_UAPI_HPP

#include <cstddef>
#include <cstdint>

#include <linux/vfio.h>

namespace vramlink::demo::uapi {

inline constexpr std::uint32_t kFeatureDmaBuf = 11;

struct DmaRange {
    std::uint64_t offset; ///< in the region; page aligned
    std::uint64_t length; ///< page aligned, not 0
};

/// Follows struct vfio_device_feature; nr_ranges times DmaRange follow this.
struct FeatureDmaBuf {
    std::uint32_t region_index;
    std::uint32_t open_flags; ///< O_CLOEXEC and the access mode of the new fd
    std::uint32_t flags;      ///< must be 0
    std::uint32_t nr_ranges;
};

static_assert(sizeof(DmaRange) == 16);
static_assert(sizeof(FeatureDmaBuf) == 16 && offsetof(FeatureDmaBuf, nr_ranges) == 12);
static_assert(sizeof(vfio_device_feature) == 8);

} // namespace vramlink::demo::uapi

#endif
