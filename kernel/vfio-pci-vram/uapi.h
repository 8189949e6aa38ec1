/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What user space says to vfio-pci-vram through VFIO_DEVICE_FEATURE.
 *
 * VFIO_DEVICE_FEATURE_DMA_BUF is Linux's own (include/uapi/linux/vfio.h, since 6.19) and stands
 * here for kernels whose headers lack it; number and layout are the same. The two others are this
 * driver's:
 *
 * VRAM_FEATURE_EVENTFD, SET: the eventfd is signalled each time that dma-bufs of this device are
 * revoked or restored; -1 takes it away. One for each device. It comes when importers have been
 * told and before they are waited for, so that a program can make those let go that do it no other
 * way.
 *
 * VRAM_FEATURE_STATE, GET: whether a dma-buf of this device is live, and how often that changed.
 * EINVAL when the file is no dma-buf of this device. Neither feature waits for a revocation that is
 * under way, and an export does not either.
 *
 * Mainline's vfio-pci answers ENOTTY to both, which is how a program finds out.
 */
#ifndef VRAM_UAPI_H
#define VRAM_UAPI_H

#include <linux/types.h>
#include <linux/vfio.h>

#ifndef VFIO_DEVICE_FEATURE_DMA_BUF
#define VFIO_DEVICE_FEATURE_DMA_BUF 11

struct vfio_region_dma_range {
	__u64 offset;
	__u64 length;
};

struct vfio_device_feature_dma_buf {
	__u32 region_index;
	__u32 open_flags;
	__u32 flags;
	__u32 nr_ranges;
	struct vfio_region_dma_range dma_ranges[];
};
#endif

#define VRAM_FEATURE_EVENTFD 0xfe0b
#define VRAM_FEATURE_STATE 0xfe0c

struct vram_feature_eventfd {
	__s32 eventfd;
	__u32 reserved; /* 0 */
};

#define VRAM_STATE_LIVE 0
#define VRAM_STATE_REVOKED 1

struct vram_feature_state {
	__s32 dmabuf_fd;  /* in */
	__u32 state;	  /* out: VRAM_STATE_... */
	__u64 generation; /* out: +1 at each revocation and at each return */
};

#endif
