// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revocation told to user space: an eventfd for the device, and the state of a dma-buf. See uapi.h.
 */
#include <linux/uaccess.h>

#include "vram.h"

static void vram_event_replace(struct vram_device *vram, struct eventfd_ctx *event)
{
	mutex_lock(&vram->event_lock);
	swap(vram->event, event);
	mutex_unlock(&vram->event_lock);
	if (event)
		eventfd_ctx_put(event);
}

int vram_feature_eventfd(struct vram_device *vram, u32 flags, void __user *arg, size_t argsz)
{
	struct vram_feature_eventfd request;
	struct eventfd_ctx *event = NULL;
	int ret;

	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET, sizeof(request));
	if (ret != 1)
		return ret;
	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	if (request.reserved || request.eventfd < -1)
		return -EINVAL;
	if (request.eventfd >= 0)
		event = eventfd_ctx_fdget(request.eventfd);
	if (IS_ERR(event))
		return PTR_ERR(event);

	vram_event_replace(vram, event);
	return 0;
}

int vram_feature_state(struct vram_device *vram, u32 flags, void __user *arg, size_t argsz)
{
	struct vram_feature_state request;
	struct dma_buf *dmabuf;
	int ret;

	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_GET, sizeof(request));
	if (ret != 1)
		return ret;
	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	dmabuf = dma_buf_get(request.dmabuf_fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = vram_buffer_state(vram, dmabuf, &request) ? 0 : -EINVAL;
	dma_buf_put(dmabuf);
	if (!ret && copy_to_user(arg, &request, sizeof(request)))
		ret = -EFAULT;
	return ret;
}

void vram_event_signal(struct vram_device *vram)
{
	mutex_lock(&vram->event_lock);
	if (vram->event)
		vram_eventfd_signal(vram->event);
	mutex_unlock(&vram->event_lock);
}

void vram_event_drop(struct vram_device *vram)
{
	vram_event_replace(vram, NULL);
}
