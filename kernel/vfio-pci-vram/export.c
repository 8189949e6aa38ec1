// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_FEATURE_DMA_BUF: what user space asks for, checked, merged, exported.
 *
 * Errors are mainline's, also where a request has several faults
 * (drivers/vfio/pci/vfio_pci_dmabuf.c), so that a program cannot tell the two apart. Neighbouring
 * ranges are merged; order, gaps and repetitions stay. Lists are long (a frame in single pages has
 * thousands of ranges), so the program's list is copied once, and becomes the buffer's own list in
 * place and in one walk.
 */
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vram.h"

static_assert(sizeof(struct phys_vec) == sizeof(struct vfio_region_dma_range));
static_assert(offsetof(struct phys_vec, paddr) == offsetof(struct vfio_region_dma_range, offset));
static_assert(offsetof(struct phys_vec, len) == offsetof(struct vfio_region_dma_range, length));

/* The ranges as the program says them: offsets, where addresses will be. */
static struct phys_vec *vram_read_ranges(const void __user *from, u32 nr)
{
	struct phys_vec *vec = kvmalloc_array(nr, sizeof(*vec), GFP_KERNEL_ACCOUNT);

	if (!vec)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(vec, from, array_size(nr, sizeof(*vec)))) {
		kvfree(vec);
		return ERR_PTR(-EFAULT);
	}
	return vec;
}

/* Of a range that does not lie in the BAR at @start. */
static int vram_outside(u64 start, u64 offset, u64 length)
{
	u64 first, end;

	return check_add_overflow(start, offset, &first) || check_add_overflow(first, length, &end)
		       ? -EOVERFLOW
		       : -EINVAL;
}

/*
 * Makes addresses of the offsets in @vec and merges neighbours: @buffer's nr and size. A range that
 * is wrong in itself comes before one that does not lie in the BAR, wherever the two stand. The
 * highest bit of the size is taken: Linux marks bounced I/O virtual addresses with it.
 */
static int vram_place_ranges(struct vram_buffer *buffer, const struct resource *bar,
			     struct phys_vec *vec, u32 nr)
{
	const u64 start = bar->start, room = resource_size(bar);
	struct phys_vec *last = NULL;
	u64 end = 0, size = 0;
	int outside = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		u64 offset = vec[i].paddr, length = vec[i].len;

		if (!length || !PAGE_ALIGNED(offset | length) ||
		    check_add_overflow(size, length, &size))
			return -EINVAL;
		if ((offset > room || length > room - offset) && !outside)
			outside = vram_outside(start, offset, length);
		if (last && offset == end) {
			last->len += length;
		} else {
			last = last ? last + 1 : vec;
			last->paddr = start + offset;
			last->len = length;
		}
		end = offset + length;
	}
	buffer->nr = last - vec + 1;
	buffer->size = size;
	return size >> 63 ? -EINVAL : outside;
}

/* Gives back what merging has freed, when it is much. */
static struct phys_vec *vram_trim(struct phys_vec *vec, u32 used, u32 nr)
{
	struct phys_vec *less;

	if (used > nr / 2)
		return vec;
	less = kvmalloc_array(used, sizeof(*vec), GFP_KERNEL_ACCOUNT);
	if (!less)
		return vec;
	memcpy(less, vec, array_size(used, sizeof(*vec)));
	kvfree(vec);
	return less;
}

/* The buffer owns its list from the start, also a list with faults. */
static int vram_fill(struct vram_device *vram, struct vram_buffer *buffer,
		     const struct vfio_device_feature_dma_buf *request, const void __user *ranges)
{
	const unsigned int bar = request->region_index;
	int ret;

	buffer->vec = vram_read_ranges(ranges, request->nr_ranges);
	if (IS_ERR(buffer->vec)) {
		ret = PTR_ERR(buffer->vec);
		buffer->vec = NULL;
		return ret;
	}
	ret = vram_provider(vram, bar, &buffer->provider);
	if (!ret)
		ret = vram_place_ranges(buffer, &buffer->pdev->resource[bar], buffer->vec,
					request->nr_ranges);
	if (!ret)
		buffer->vec = vram_trim(buffer->vec, buffer->nr, request->nr_ranges);
	return ret;
}

int vram_feature_dma_buf(struct vram_device *vram, u32 flags, void __user *arg, size_t argsz)
{
	struct vfio_device_feature_dma_buf request;
	struct vram_buffer *buffer;
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

	buffer = vram_buffer_alloc(vram->core.pdev);
	if (!buffer)
		return -ENOMEM;
	ret = vram_fill(vram, buffer, &request, (u8 __user *)arg + sizeof(request));
	if (ret) {
		vram_buffer_put(buffer);
		return ret;
	}
	vram_look(vram);
	return vram_buffer_export(vram, buffer, request.open_flags);
}
