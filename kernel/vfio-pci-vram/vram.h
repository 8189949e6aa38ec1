/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vfio-pci-vram: the parts of the driver and what they say to each other.
 *
 *	main.c		the PCI driver and the VFIO operations: vfio-pci's, with ours around them
 *	config.c	which writes to config space end the device's memory
 *	state.c		when buffers are live: the one place that decides
 *	buffer.c	one dma-buf: its life, importers, revocation
 *	mapping.c	physical ranges to a scatterlist for one importer
 *	export.c	VFIO_DEVICE_FEATURE_DMA_BUF: checks, merging
 *	event.c		the private features: an eventfd, the state of a dma-buf
 *
 * A buffer is live while the device is open, its memory is enabled, it is in D0 (or D1, D2), and
 * nothing that takes the memory away is under way. Everything that may change one of these ends in
 * vram_settle(), which revokes or restores what does not match.
 *
 * Locks, in this order: vfio's memory_lock (of vfio_pci_core; resets reach us with it held, and
 * nobody here takes it), vram_device.lock, vram_buffer.alive, the dma-buf's reservation lock,
 * buffer.c's list lock. vram_device.event_lock is inside of vram_device.lock and takes none.
 */
#ifndef VRAM_H
#define VRAM_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/wait.h>

#include "compat.h"
#include "uapi.h"

/*
 * As many as mainline's vfio-pci can take: its array comes from kmalloc(), 4 MiB on x86. ENOMEM
 * beyond.
 */
#define VRAM_MAX_RANGES (SZ_4M / sizeof(struct vfio_region_dma_range))

struct p2pdma_provider;

struct vram_device {
	struct vfio_pci_core_device core; /* first: the drvdata that vfio_pci_core expects */
	struct mutex lock;		  /* every revocation, and what is said to be under it */
	unsigned int blocked;		  /* lock; resets and memory-off writes under way */
	bool open;			  /* lock */
	bool failed;			  /* lock; error recovery has not ended yet */
	atomic_t unsettled;		  /* the holder of the lock is to settle before it goes */
	struct list_head buffers;	  /* vram_buffer.node; membership: buffer.c */
	bool live;			  /* what new buffers are; buffer.c */
	struct mutex event_lock;
	struct eventfd_ctx *event; /* event_lock */
};

struct vram_buffer {
	struct kref kref;
	struct list_head node;
	struct vram_device *owner; /* NULL once the device was closed; buffer.c */
	struct mutex alive;	   /* held: dmabuf stays what it is */
	struct dma_buf *dmabuf;	   /* NULL once released */
	struct pci_dev *pdev;	   /* valid until revoked for good */
	struct p2pdma_provider *provider;
	wait_queue_head_t idle; /* mapped became 0 */
	u64 generation;		/* buffer.c */
	struct phys_vec *vec;	/* owned; addresses, neighbours merged */
	u32 nr;
	size_t size; /* of all together */
	/* under the reservation lock */
	bool revoked;
	unsigned int mapped;
};

static inline struct vram_device *to_vram(struct vfio_device *vdev)
{
	return container_of(vdev, struct vram_device, core.vdev);
}

/* state.c */
void vram_block(struct vram_device *vram);
void vram_unblock(struct vram_device *vram);
void vram_settle(struct vram_device *vram);
void vram_look(struct vram_device *vram);
void vram_opened(struct vram_device *vram);
void vram_closing(struct vram_device *vram);
void vram_set_failed(struct vram_device *vram, bool failed);

/* config.c */
ssize_t vram_write(struct vfio_device *vdev, const char __user *buf, size_t count, loff_t *ppos);

/* buffer.c */
struct vram_buffer *vram_buffer_alloc(struct pci_dev *pdev);
void vram_buffer_put(struct vram_buffer *buffer);
int vram_buffer_export(struct vram_device *vram, struct vram_buffer *buffer, u32 open_flags);
struct vram_buffer *vram_buffer_next(struct vram_device *vram, struct vram_buffer *prev);
void vram_buffer_forget_all(struct vram_device *vram);
void vram_buffer_set_live(struct vram_device *vram, bool live);
bool vram_buffer_set_revoked(struct vram_buffer *buffer, bool revoked);
void vram_buffer_wait(struct vram_buffer *buffer);
bool vram_buffer_state(struct vram_device *vram, struct dma_buf *dmabuf,
		       struct vram_feature_state *state);

/* mapping.c */
int vram_can_export(struct vram_device *vram);
int vram_provider(struct vram_device *vram, unsigned int bar, struct p2pdma_provider **provider);
struct sg_table *vram_map(struct dma_buf_attachment *attach, struct vram_buffer *buffer,
			  enum dma_data_direction dir);
void vram_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		enum dma_data_direction dir);

/* export.c */
int vram_feature_dma_buf(struct vram_device *vram, u32 flags, void __user *arg, size_t argsz);

/* event.c */
int vram_feature_eventfd(struct vram_device *vram, u32 flags, void __user *arg, size_t argsz);
int vram_feature_state(struct vram_device *vram, u32 flags, void __user *arg, size_t argsz);
void vram_event_signal(struct vram_device *vram);
void vram_event_drop(struct vram_device *vram);

#endif
