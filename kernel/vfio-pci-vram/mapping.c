// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the buffer's physical ranges to what one importer's device can address.
 *
 * Linux 6.19 and later check the peer-to-peer route and know three ways: bus addresses under one
 * switch, the I/O virtual addresses of an IOMMU, or addresses as they are. Older kernels map each
 * range as MMIO, through the IOMMU where there is one; whether peers reach each other is checked
 * there only with CONFIG_PCI_P2PDMA.
 */
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "vram.h"

static bool unchecked_p2p;
module_param(unchecked_p2p, bool, 0644);
MODULE_PARM_DESC(
	unchecked_p2p,
	"Export on kernels that cannot check whether one device reaches another's memory (no CONFIG_PCI_P2PDMA). You must know that the chipset routes it: AMD Zen does, as do devices under one PCIe switch. Default: off");

/* Same as mainline's answer for a driver without export. */
int vram_can_export(struct vram_device *vram)
{
	if (IS_ENABLED(CONFIG_PCI_P2PDMA) || READ_ONCE(unchecked_p2p))
		return 0;
	dev_info_once(
		&vram->core.pdev->dev,
		"this kernel cannot check peer-to-peer routes (no CONFIG_PCI_P2PDMA); dma-buf export needs unchecked_p2p=1\n");
	return -EOPNOTSUPP;
}

#ifdef VRAM_P2P_BY_KERNEL

int vram_provider(struct vram_device *vram, unsigned int bar, struct p2pdma_provider **provider)
{
	*provider = pcim_p2pdma_provider(vram->core.pdev, bar);
	return *provider ? 0 : -EINVAL;
}

struct sg_table *vram_map(struct dma_buf_attachment *attach, struct vram_buffer *buffer,
			  enum dma_data_direction dir)
{
	return dma_buf_phys_vec_to_sgt(attach, buffer->provider, buffer->vec, buffer->nr,
				       buffer->size, dir);
}

/*
 * The kernel's function sets orig_nents to 0, to say that there are no pages, and later frees as
 * many entries as orig_nents says: none (7.3.4). Put back here, the list is freed.
 */
void vram_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		enum dma_data_direction dir)
{
	sgt->orig_nents = sgt->nents;
	dma_buf_free_sgt(attach, sgt, dir);
}

#else

/* A scatterlist entry's length is an unsigned int. */
#define VRAM_MAX_ENTRY ALIGN_DOWN((size_t)UINT_MAX, PAGE_SIZE)

int vram_provider(struct vram_device *vram, unsigned int bar, struct p2pdma_provider **provider)
{
	*provider = NULL;
	return pci_resource_flags(vram->core.pdev, bar) & IORESOURCE_MEM ? 0 : -EINVAL;
}

static bool vram_reaches(struct vram_buffer *buffer, struct device *dev)
{
	if (!dev->dma_mask)
		return false;
	if (!IS_ENABLED(CONFIG_PCI_P2PDMA) || READ_ONCE(unchecked_p2p))
		return true;
	return pci_p2pdma_distance(buffer->pdev, dev, true) >= 0;
}

static unsigned int vram_count_entries(struct vram_buffer *buffer)
{
	unsigned int entries = 0;
	u32 i;

	for (i = 0; i < buffer->nr; i++)
		entries += DIV_ROUND_UP(buffer->vec[i].len, VRAM_MAX_ENTRY);
	return entries;
}

/* Unmaps the first @mapped entries, frees all. */
static void vram_free(struct device *dev, struct sg_table *sgt, unsigned int mapped,
		      enum dma_data_direction dir)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(sgt->sgl, sg, mapped, i)
		dma_unmap_resource(dev, sg_dma_address(sg), sg_dma_len(sg), dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

struct sg_table *vram_map(struct dma_buf_attachment *attach, struct vram_buffer *buffer,
			  enum dma_data_direction dir)
{
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int done = 0;
	u32 i;

	if (!vram_reaches(buffer, attach->dev))
		return ERR_PTR(-EINVAL);
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	if (sg_alloc_table(sgt, vram_count_entries(buffer), GFP_KERNEL)) {
		kfree(sgt);
		return ERR_PTR(-ENOMEM);
	}

	sg = sgt->sgl;
	for (i = 0; i < buffer->nr; i++) {
		phys_addr_t at = buffer->vec[i].paddr, end = at + buffer->vec[i].len;

		while (at < end) {
			size_t len = min_t(u64, end - at, VRAM_MAX_ENTRY);
			dma_addr_t addr = dma_map_resource(attach->dev, at, len, dir, 0);

			if (dma_mapping_error(attach->dev, addr)) {
				vram_free(attach->dev, sgt, done, dir);
				return ERR_PTR(-ENOMEM);
			}
			/* No page stands behind an entry: importers must not look for one. */
			sg_dma_address(sg) = addr;
			sg_dma_len(sg) = len;
			sg = sg_next(sg);
			done++;
			at += len;
		}
	}
	return sgt;
}

void vram_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		enum dma_data_direction dir)
{
	vram_free(attach->dev, sgt, sgt->nents, dir);
}

#endif
