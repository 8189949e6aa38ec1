/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One attachment of the test importer to a dma-buf. Functions return 0 or a negative errno; the
 * caller serialises them (importer.c), move notifications come beside them under the reservation
 * lock.
 */
#ifndef VRAM_IMPORTER_H
#define VRAM_IMPORTER_H

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

enum importer_mode {
	IMPORTER_EAGER,	 /* unmaps when it is told that the buffer moves, as virtio-gpu does */
	IMPORTER_LAZY,	 /* unmaps when its handle is closed, as xe does */
	IMPORTER_NO_P2P, /* dynamic, but cannot reach a peer's memory */
	IMPORTER_STATIC, /* cannot be told anything */
};

struct importer {
	struct pci_dev *pdev;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	enum importer_mode mode;
	/* under the dma-buf's reservation lock */
	struct sg_table *sgt;
	unsigned int notified;
	struct dma_fence *fence;
};

int importer_attach(struct importer *imp, int dmabuf_fd, struct pci_dev *pdev,
		    enum importer_mode mode);
void importer_detach(struct importer *imp);
int importer_map(struct importer *imp);
int importer_unmap(struct importer *imp);
int importer_pin(struct importer *imp);
int importer_fence(struct importer *imp);
int importer_signal(struct importer *imp);
void importer_show_status(struct importer *imp, struct seq_file *file);
void importer_show_scatterlist(struct importer *imp, struct seq_file *file);
int importer_show_content(struct importer *imp, struct seq_file *file);

#endif
