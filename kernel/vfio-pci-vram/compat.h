/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that vfio-pci-vram is built for (6.1 to 7.3), and only that.
 * Each block is named after what it papers over; ../features.mk asks the headers.
 */
#ifndef VRAM_COMPAT_H
#define VRAM_COMPAT_H

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/eventfd.h>
#include <linux/module.h>
#include <linux/pci-p2pdma.h>
#include <linux/vfio_pci_core.h>

#ifdef VRAM_HAVE_PHYS_VEC_TO_SGT
#include <linux/dma-buf-mapping.h>
#endif

/* MODULE_IMPORT_NS() takes a string since 6.13. */
#ifdef VRAM_HAVE_IMPORT_NS_STRING
#define VRAM_IMPORT_DMA_BUF() MODULE_IMPORT_NS("DMA_BUF")
#else
#define VRAM_IMPORT_DMA_BUF() MODULE_IMPORT_NS(DMA_BUF)
#endif

/* struct phys_vec: one physical range. */
#ifndef VRAM_HAVE_PHYS_VEC
struct phys_vec {
	phys_addr_t paddr;
	size_t len;
};
#endif

/* eventfd_signal() lost its second argument, which everybody called with 1. */
static inline void vram_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef VRAM_HAVE_EVENTFD_SIGNAL_ONCE
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* move_notify became invalidate_mappings when dma-buf learnt what a revocation is (7.1). */
#ifdef VRAM_HAVE_INVALIDATE_MAPPINGS
#define vram_invalidate_mappings dma_buf_invalidate_mappings
#else
#define vram_invalidate_mappings dma_buf_move_notify
#endif

/* May this importer be told to let go? */
static inline bool vram_attach_revocable(struct dma_buf_attachment *attach)
{
#ifdef VRAM_HAVE_ATTACH_REVOCABLE
	return dma_buf_attach_revocable(attach);
#else
	return attach->importer_ops && attach->importer_ops->move_notify;
#endif
}

/*
 * Before 7.1 only an exporter with a pin operation counts as dynamic; without it the mapping would
 * be made at attach and kept.
 */
#ifndef VRAM_HAVE_ATTACH_REVOCABLE
#define VRAM_NEEDS_PIN_OPS
#endif

/*
 * Is the BAR claimed by this driver? 7.x claims all of them when the device is opened; before, the
 * first user does it, through a function that 6.1 keeps to itself. The claims are dropped by
 * vfio_pci_core_disable().
 */
static inline int vram_claim_bar(struct vfio_pci_core_device *core, unsigned int bar)
{
#ifdef VRAM_HAVE_GET_IOMAP
	void __iomem *io = vfio_pci_core_get_iomap(core, bar);

	return IS_ERR(io) ? -ENODEV : 0;
#else
	if (!pci_resource_len(core->pdev, bar))
		return -ENODEV;
#ifdef VRAM_HAVE_SETUP_BARMAP
	return vfio_pci_core_setup_barmap(core, bar) ? -ENODEV : 0;
#else
	if (core->barmap[bar])
		return 0;
	if (pci_request_selected_regions(core->pdev, 1 << bar, "vfio"))
		return -ENODEV;
	core->barmap[bar] = pci_iomap(core->pdev, bar, 0);
	if (!core->barmap[bar]) {
		pci_release_selected_regions(core->pdev, 1 << bar);
		return -ENODEV;
	}
	return 0;
#endif
#endif
}

/*
 * Peer-to-peer: the kernel's provider of a BAR and its check of the route (6.19). Before,
 * pci_p2pdma_distance() checks where CONFIG_PCI_P2PDMA is set; where it is not, nothing can be
 * checked.
 */
#if defined(VRAM_HAVE_P2P_PROVIDER) && defined(VRAM_HAVE_PHYS_VEC_TO_SGT) && \
	IS_ENABLED(CONFIG_PCI_P2PDMA)
#define VRAM_P2P_BY_KERNEL
#endif

#endif
