// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-pci-vram: vfio-pci, and ranges of a device's BARs as revocable dma-bufs, on kernels whose
 * vfio-pci has no such export.
 *
 * A VFIO variant driver: every operation is vfio_pci_core's, some with a look at what it does to
 * the device's memory. Resets of whatever kind (FLR, VFIO_DEVICE_RESET, hot reset of a set of
 * devices, sysfs) come through the PCI core's reset_prepare() and reset_done(), which each device
 * of the set gets.
 */
#include <linux/init.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "vram.h"

static char ids[1024] __initdata;
module_param_string(ids, ids, sizeof(ids), 0);
MODULE_PARM_DESC(
	ids,
	"PCI IDs to bind, \"vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]\", comma separated");

static bool enable_sriov;
module_param(enable_sriov, bool, 0644);
MODULE_PARM_DESC(enable_sriov, "Let root make virtual functions of bound devices. Default: off");

static bool disable_denylist;
module_param(disable_denylist, bool, 0444);
MODULE_PARM_DESC(disable_denylist,
		 "Bind devices that are known to be unsafe in a program's hands. Default: off");

/* The same devices as vfio-pci refuses, for their errata. */
static const struct pci_device_id vram_denylist[] = {
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C3XXX) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C3XXX_VF) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C62X) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C62X_VF) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_DH895XCC) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_DH895XCC_VF) },
	{ PCI_VDEVICE(INTEL, 0x0b25) }, /* DSA, Sapphire Rapids */
	{ PCI_VDEVICE(INTEL, 0x0cfe) }, /* IAX, Sapphire Rapids */
	{}
};

static int vram_init(struct vfio_device *vdev)
{
	struct vram_device *vram = to_vram(vdev);

	mutex_init(&vram->lock);
	mutex_init(&vram->event_lock);
	INIT_LIST_HEAD(&vram->buffers);
	return vfio_pci_core_init_dev(vdev);
}

static void vram_release(struct vfio_device *vdev)
{
	mutex_destroy(&to_vram(vdev)->event_lock);
	mutex_destroy(&to_vram(vdev)->lock);
	vfio_pci_core_release_dev(vdev);
}

static int vram_open(struct vfio_device *vdev)
{
	struct vram_device *vram = to_vram(vdev);
	int ret;

	ret = vfio_pci_core_enable(&vram->core);
	if (ret)
		return ret;
	vfio_pci_core_finish_enable(&vram->core);
	vram_opened(vram);
	return 0;
}

static void vram_close(struct vfio_device *vdev)
{
	vram_closing(to_vram(vdev));
	vfio_pci_core_close_device(vdev);
}

static int vram_feature(struct vfio_device *vdev, u32 flags, void __user *arg, size_t argsz)
{
	struct vram_device *vram = to_vram(vdev);
	int ret;

	switch (flags & VFIO_DEVICE_FEATURE_MASK) {
	case VFIO_DEVICE_FEATURE_DMA_BUF:
		return vram_feature_dma_buf(vram, flags, arg, argsz);
	case VRAM_FEATURE_EVENTFD:
		return vram_feature_eventfd(vram, flags, arg, argsz);
	case VRAM_FEATURE_STATE:
		return vram_feature_state(vram, flags, arg, argsz);
	case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY:
	case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP:
	case VFIO_DEVICE_FEATURE_LOW_POWER_EXIT:
		/* VFIO keeps the device awake until this call returns: time enough to revoke. */
		ret = vfio_pci_core_ioctl_feature(vdev, flags, arg, argsz);
		vram_settle(vram);
		return ret;
	default:
		return vfio_pci_core_ioctl_feature(vdev, flags, arg, argsz);
	}
}

static const struct vfio_device_ops vram_ops = {
	.name = "vfio-pci-vram",
	.init = vram_init,
	.release = vram_release,
	.open_device = vram_open,
	.close_device = vram_close,
	.ioctl = vfio_pci_core_ioctl,
	.device_feature = vram_feature,
	.read = vfio_pci_core_read,
	.write = vram_write,
	.mmap = vfio_pci_core_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
#ifdef VRAM_HAVE_GET_REGION_INFO_CAPS
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
#endif
#ifdef VRAM_HAVE_MATCH_TOKEN_UUID
	.match_token_uuid = vfio_pci_core_match_token_uuid,
#endif
#ifdef VRAM_HAVE_BIND_IOMMUFD
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
#endif
#ifdef VRAM_HAVE_PASID_ATTACH_IOAS
	.pasid_attach_ioas = vfio_iommufd_physical_pasid_attach_ioas,
	.pasid_detach_ioas = vfio_iommufd_physical_pasid_detach_ioas,
#endif
};

static struct vram_device *pci_to_vram(struct pci_dev *pdev)
{
	return container_of((struct vfio_pci_core_device *)pci_get_drvdata(pdev),
			    struct vram_device, core);
}

static int vram_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vram_device *vram;
	int ret;

	if (pci_match_id(vram_denylist, pdev)) {
		pci_warn(pdev, "known to be unsafe in a program's hands%s\n",
			 disable_denylist ? "; bound as disable_denylist says" : ", not bound");
		if (!disable_denylist)
			return -EINVAL;
	}
	vram = vfio_alloc_device(vram_device, core.vdev, &pdev->dev, &vram_ops);
	if (IS_ERR(vram))
		return PTR_ERR(vram);
	pci_set_drvdata(pdev, &vram->core);
	ret = vfio_pci_core_register_device(&vram->core);
	if (ret)
		vfio_put_device(&vram->core.vdev);
	return ret;
}

static void vram_remove(struct pci_dev *pdev)
{
	struct vram_device *vram = pci_to_vram(pdev);

	vfio_pci_core_unregister_device(&vram->core);
	vfio_put_device(&vram->core.vdev);
}

static int vram_sriov_configure(struct pci_dev *pdev, int nr)
{
	if (!enable_sriov)
		return -ENOENT;
	return vfio_pci_core_sriov_configure(&pci_to_vram(pdev)->core, nr);
}

static void vram_reset_prepare(struct pci_dev *pdev)
{
	vram_block(pci_to_vram(pdev));
}

/* A reset also ends an error whose recovery failed. */
static void vram_reset_done(struct pci_dev *pdev)
{
	vram_set_failed(pci_to_vram(pdev), false);
	vram_unblock(pci_to_vram(pdev));
}

static pci_ers_result_t vram_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	/* The device still answers after an error that is not fatal. */
	if (state != pci_channel_io_normal)
		vram_set_failed(pci_to_vram(pdev), true);
	return vfio_pci_core_aer_err_detected(pdev, state);
}

static void vram_error_resume(struct pci_dev *pdev)
{
	vram_set_failed(pci_to_vram(pdev), false);
}

static const struct pci_error_handlers vram_error_handlers = {
	.error_detected = vram_error_detected,
	.resume = vram_error_resume,
	.reset_prepare = vram_reset_prepare,
	.reset_done = vram_reset_done,
};

/*
 * Any device that driver_override gives to us, none by itself. There is no module alias: tools that
 * look for the best variant driver of a device would take this one for vfio-pci.
 */
static const struct pci_device_id vram_table[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_ANY_ID, PCI_ANY_ID) }, {}
};

static struct pci_driver vram_driver = {
	.name = "vfio-pci-vram",
	.id_table = vram_table,
	.probe = vram_probe,
	.remove = vram_remove,
	.sriov_configure = vram_sriov_configure,
	.err_handler = &vram_error_handlers,
	.driver_managed_dma = true,
};

static void __init vram_add_id(const char *id)
{
	unsigned int vendor, device, subvendor = PCI_ANY_ID, subdevice = PCI_ANY_ID, class = 0,
				     mask = 0;
	int ret;

	if (sscanf(id, "%x:%x:%x:%x:%x:%x", &vendor, &device, &subvendor, &subdevice, &class,
		   &mask) < 2) {
		pr_warn("vfio-pci-vram: ids: \"%s\" is not vendor:device\n", id);
		return;
	}
	ret = pci_add_dynid(&vram_driver, vendor, device, subvendor, subdevice, class, mask, 0);
	if (ret)
		pr_warn("vfio-pci-vram: ids: \"%s\" not added: error %d\n", id, ret);
}

static int __init vram_module_init(void)
{
	char *rest = ids, *id;
	int ret;

	ret = pci_register_driver(&vram_driver);
	if (ret)
		return ret;
	while ((id = strsep(&rest, ",")))
		if (*id)
			vram_add_id(id);
	return 0;
}
module_init(vram_module_init);

static void __exit vram_module_exit(void)
{
	pci_unregister_driver(&vram_driver);
}
module_exit(vram_module_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("vramlink");
MODULE_DESCRIPTION("VFIO PCI with revocable multi-range dma-buf export");
