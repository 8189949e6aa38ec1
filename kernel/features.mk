# SPDX-License-Identifier: GPL-2.0-or-later
# What this kernel's headers have, asked of the headers and not of a version number: distributions backport.
# vfio-pci-vram/compat.h, and nothing else, looks at these names.
vram_has = $(shell grep -qs -e '$(2)' $(srctree)/include/linux/$(1) && echo -DVRAM_HAVE_$(3))

ccflags-y += $(call vram_has,vfio.h,get_region_info_caps,GET_REGION_INFO_CAPS)
ccflags-y += $(call vram_has,vfio.h,match_token_uuid,MATCH_TOKEN_UUID)
ccflags-y += $(call vram_has,vfio.h,bind_iommufd,BIND_IOMMUFD)
ccflags-y += $(call vram_has,vfio.h,pasid_attach_ioas,PASID_ATTACH_IOAS)
ccflags-y += $(call vram_has,vfio_pci_core.h,vfio_pci_core_get_iomap,GET_IOMAP)
ccflags-y += $(call vram_has,vfio_pci_core.h,vfio_pci_core_setup_barmap,SETUP_BARMAP)
ccflags-y += $(call vram_has,pci-p2pdma.h,pcim_p2pdma_provider,P2P_PROVIDER)
ccflags-y += $(call vram_has,dma-buf-mapping.h,dma_buf_phys_vec_to_sgt,PHYS_VEC_TO_SGT)
ccflags-y += $(call vram_has,dma-buf.h,dma_buf_attach_revocable,ATTACH_REVOCABLE)
ccflags-y += $(call vram_has,dma-buf.h,dma_buf_invalidate_mappings,INVALIDATE_MAPPINGS)
ccflags-y += $(call vram_has,eventfd.h,eventfd_signal(struct eventfd_ctx .ctx),EVENTFD_SIGNAL_ONCE)
ccflags-y += $(call vram_has,types.h,^struct phys_vec,PHYS_VEC)
ccflags-y += $(call vram_has,module.h,import_ns. ns,IMPORT_NS_STRING)
