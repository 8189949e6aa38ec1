// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_FEATURE_DMA_BUF: what user space asks for, checked, merged, exported.
 *
 * Checks come in mainline's order with mainline's errors (drivers/vfio/pci/vfio_pci_dmabuf.c), so
 * that a program cannot tell the two apart. Neighbouring ranges are merged; order, gaps and
 * repetitions stay.
 */
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vram.h"

/*
 * The sum of the lengths. The highest bit is taken: Linux marks bounced I/O virtual addresses with
 * it.
 */
static int vram_check_ranges(const struct vfio_region_dma_range *ranges, u32 nr, size_t *size)
{
	u32 i;

	*size = 0;
	for (i = 0; i < nr; i++) {
		if (!ranges[i].length || !PAGE_ALIGNED(ranges[i].offset) ||
		    !PAGE_ALIGNED(ranges[i].length))
			return -EINVAL;
		if (check_add_overflow(*size, (size_t)ranges[i].length, size))
			return -EINVAL;
	}
	return (u64)*size >> 63 ? -EINVAL : 0;
}

static int vram_check_bar(struct pci_dev *pdev, unsigned int bar,
			  const struct vfio_region_dma_range *ranges, u32 nr)
{
	u64 start = pci_resource_start(pdev, bar), size = pci_resource_len(pdev, bar), first, end;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (check_add_overflow(start, (u64)ranges[i].offset, &first) ||
		    check_add_overflow(first, (u64)ranges[i].length, &end))
			return -EOVERFLOW;
		if (end > start + size)
			return -EINVAL;
	}
	return 0;
}

static bool vram_follows(const struct vfio_region_dma_range *before,
			 const struct vfio_region_dma_range *range)
{
	return before->offset + before->length == range->offset;
}

static struct vram_buffer *vram_merge(struct pci_dev *pdev, unsigned int bar,
				      const struct vfio_region_dma_range *ranges, u32 nr)
{
	struct vram_buffer *buffer;
	struct phys_vec *vec;
	u32 i, merged = 1;

	for (i = 1; i < nr; i++)
		merged += !vram_follows(&ranges[i - 1], &ranges[i]);
	buffer = vram_buffer_alloc(merged);
	if (!buffer)
		return NULL;
	vec = buffer->vec;
	for (i = 0; i < nr; i++) {
		if (i && vram_follows(&ranges[i - 1], &ranges[i])) {
			vec[-1].len += ranges[i].length;
			continue;
		}
		vec->paddr = pci_resource_start(pdev, bar) + ranges[i].offset;
		vec->len = ranges[i].length;
		vec++;
	}
	return buffer;
}

static int vram_export(struct vram_device *vram, const struct vfio_device_feature_dma_buf *request,
		       const struct vfio_region_dma_range *ranges)
{
	struct pci_dev *pdev = vram->core.pdev;
	struct p2pdma_provider *provider;
	struct vram_buffer *buffer;
	size_t size;
	int ret;

	ret = vram_check_ranges(ranges, request->nr_ranges, &size);
	if (!ret)
		ret = vram_provider(vram, request->region_index, &provider);
	if (!ret)
		ret = vram_check_bar(pdev, request->region_index, ranges, request->nr_ranges);
	if (ret)
		return ret;

	buffer = vram_merge(pdev, request->region_index, ranges, request->nr_ranges);
	if (!buffer)
		return -ENOMEM;
	buffer->pdev = pdev;
	buffer->provider = provider;
	buffer->size = size;
	return vram_buffer_export(vram, buffer, request->open_flags);
}

int vram_feature_dma_buf(struct vram_device *vram, u32 flags, void __user *arg, size_t argsz)
{
	struct vfio_device_feature_dma_buf request;
	struct vfio_region_dma_range *ranges;
	int ret;

	ret = vram_can_export(vram);
	if (ret)
		return ret;
	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_GET, sizeof(request));
	if (ret != 1)
		return ret;
	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	if (!request.nr_ranges || request.flags)
		return -EINVAL;
	if (request.region_index >= VFIO_PCI_ROM_REGION_INDEX ||
	    vram_claim_bar(&vram->core, request.region_index))
		return -ENODEV;
	if (request.nr_ranges > VRAM_MAX_RANGES)
		return -ENOMEM;

	ranges = vmemdup_user((u8 __user *)arg + sizeof(request),
			      request.nr_ranges * sizeof(*ranges));
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	ret = vram_export(vram, &request, ranges);
	kvfree(ranges);
	return ret;
}
