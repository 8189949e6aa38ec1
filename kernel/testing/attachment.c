// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the test importer does with a dma-buf: attach, map, unmap, a fence that stands for work of
 * its device. Its device does no DMA; the addresses that it would use are what the tests compare.
 */
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "compat.h"
#include "importer.h"

VRAM_IMPORT_DMA_BUF();

static DEFINE_SPINLOCK(importer_fence_lock);

static const char *importer_name(struct dma_fence *fence)
{
	return "vram-importer";
}

static const struct dma_fence_ops importer_fence_ops = {
	.get_driver_name = importer_name,
	.get_timeline_name = importer_name,
};

static void importer_unmap_locked(struct importer *imp)
{
	if (imp->sgt)
		dma_buf_unmap_attachment(imp->attach, imp->sgt, DMA_BIDIRECTIONAL);
	imp->sgt = NULL;
}

static void importer_moved(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;

	imp->notified++;
	if (imp->mode != IMPORTER_LAZY)
		importer_unmap_locked(imp);
}

static const struct dma_buf_attach_ops importer_ops = {
	.allow_peer2peer = true,
#ifdef VRAM_HAVE_INVALIDATE_MAPPINGS
	.invalidate_mappings = importer_moved,
#else
	.move_notify = importer_moved,
#endif
};

static const struct dma_buf_attach_ops importer_ops_no_p2p = {
	.allow_peer2peer = false,
#ifdef VRAM_HAVE_INVALIDATE_MAPPINGS
	.invalidate_mappings = importer_moved,
#else
	.move_notify = importer_moved,
#endif
};

static void importer_lock(struct importer *imp)
{
	dma_resv_lock(imp->dmabuf->resv, NULL);
}

static void importer_unlock(struct importer *imp)
{
	dma_resv_unlock(imp->dmabuf->resv);
}

/* Takes the caller's reference on @pdev, also when it fails. */
int importer_attach(struct importer *imp, int dmabuf_fd, struct pci_dev *pdev,
		    enum importer_mode mode)
{
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;

	dmabuf = dma_buf_get(dmabuf_fd);
	if (IS_ERR(dmabuf)) {
		pci_dev_put(pdev);
		return PTR_ERR(dmabuf);
	}
	imp->mode = mode;
	imp->notified = 0;
	if (mode == IMPORTER_STATIC)
		attach = dma_buf_attach(dmabuf, &pdev->dev);
	else
		attach = dma_buf_dynamic_attach(
			dmabuf, &pdev->dev,
			mode == IMPORTER_NO_P2P ? &importer_ops_no_p2p : &importer_ops, imp);
	if (IS_ERR(attach)) {
		dma_buf_put(dmabuf);
		pci_dev_put(pdev);
		return PTR_ERR(attach);
	}
	imp->pdev = pdev;
	imp->dmabuf = dmabuf;
	imp->attach = attach;
	return 0;
}

void importer_detach(struct importer *imp)
{
	if (!imp->attach)
		return;
	importer_signal(imp);
	importer_lock(imp);
	importer_unmap_locked(imp);
	importer_unlock(imp);
	dma_buf_detach(imp->dmabuf, imp->attach);
	imp->attach = NULL;
	dma_buf_put(imp->dmabuf);
	imp->dmabuf = NULL;
	pci_dev_put(imp->pdev);
}

int importer_map(struct importer *imp)
{
	struct sg_table *sgt;
	int ret = 0;

	importer_lock(imp);
	if (imp->sgt) {
		ret = -EBUSY;
	} else {
		sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL);
		if (IS_ERR(sgt))
			ret = PTR_ERR(sgt);
		else
			imp->sgt = sgt;
	}
	importer_unlock(imp);
	return ret;
}

int importer_unmap(struct importer *imp)
{
	importer_lock(imp);
	importer_unmap_locked(imp);
	importer_unlock(imp);
	return 0;
}

int importer_pin(struct importer *imp)
{
	int ret;

	importer_lock(imp);
	ret = dma_buf_pin(imp->attach);
	if (!ret)
		dma_buf_unpin(imp->attach);
	importer_unlock(imp);
	return ret;
}

int importer_fence(struct importer *imp)
{
	struct dma_fence *fence;
	int ret;

	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence)
		return -ENOMEM;
	dma_fence_init(fence, &importer_fence_ops, &importer_fence_lock, dma_fence_context_alloc(1),
		       1);
	importer_lock(imp);
	ret = imp->fence ? -EBUSY : dma_resv_reserve_fences(imp->dmabuf->resv, 1);
	if (!ret) {
		dma_resv_add_fence(imp->dmabuf->resv, fence, DMA_RESV_USAGE_READ);
		imp->fence = dma_fence_get(fence);
	}
	importer_unlock(imp);
	if (ret)
		dma_fence_signal(fence);
	dma_fence_put(fence);
	return ret;
}

int importer_signal(struct importer *imp)
{
	if (!imp->fence)
		return -ENOENT;
	dma_fence_signal(imp->fence);
	dma_fence_put(imp->fence);
	imp->fence = NULL;
	return 0;
}

void importer_show_status(struct importer *imp, struct seq_file *file)
{
	if (!imp->attach) {
		seq_puts(file, "attached 0\n");
		return;
	}
	importer_lock(imp);
	seq_printf(file, "attached 1\nmapped %d\nnotified %u\nfence %d\nsize %zu\n", !!imp->sgt,
		   imp->notified, !!imp->fence, imp->dmabuf->size);
	importer_unlock(imp);
}

/* A line "ADDRESS LENGTH" for each entry that the device would use, hexadecimal. */
void importer_show_scatterlist(struct importer *imp, struct seq_file *file)
{
	struct scatterlist *sg;
	unsigned int i;

	if (!imp->attach)
		return;
	importer_lock(imp);
	if (imp->sgt)
		for_each_sgtable_dma_sg(imp->sgt, sg, i)
			seq_printf(file, "%llx %x\n", (u64)sg_dma_address(sg), sg_dma_len(sg));
	importer_unlock(imp);
}

static int importer_show_range(struct seq_file *file, phys_addr_t start, size_t length)
{
	void __iomem *from;
	void *bytes;

	bytes = kmalloc(length, GFP_KERNEL);
	from = bytes ? ioremap(start, length) : NULL;
	if (from) {
		memcpy_fromio(bytes, from, length);
		iounmap(from);
		seq_write(file, bytes, length);
	}
	kfree(bytes);
	return from ? 0 : -ENOMEM;
}

/*
 * What the device would read: the buffer's bytes; none when it is not mapped. Only for memory of
 * other devices, where the importing device's addresses are physical ones (iommu=pt). A revocation
 * that comes meanwhile waits, as it waits for DMA.
 */
int importer_show_content(struct importer *imp, struct seq_file *file)
{
	struct scatterlist *sg;
	unsigned int i;
	int ret = 0;

	if (!imp->attach)
		return 0;
	importer_lock(imp);
	if (imp->sgt)
		for_each_sgtable_dma_sg(imp->sgt, sg, i)
			ret = ret ?: importer_show_range(file, sg_dma_address(sg), sg_dma_len(sg));
	importer_unlock(imp);
	return ret;
}
