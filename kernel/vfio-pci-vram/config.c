// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes to config space that end the device's memory: memory decoding off, and D3hot. Resets
 * through config space (FLR in the PCIe and AF capabilities) are not looked for: they reach the
 * driver's reset_prepare().
 *
 * The value is looked at here and read again by vfio_pci_core. A program that changes it between
 * the two could have its memory switched off with importers still on it, so the state is settled
 * after the write, too: such a program's importers lose the buffer some microseconds late, and only
 * its own device's.
 */
#include <linux/uaccess.h>

#include "vram.h"

/*
 * Reads the byte for register @reg out of a write of @count bytes at @pos; false when the write
 * leaves it out.
 */
static bool vram_written(const char __user *buf, size_t count, u64 pos, unsigned int reg,
			 bool *fault, u8 *value)
{
	if (reg < pos || reg - pos >= count)
		return false;
	*fault = get_user(*value, (const u8 __user *)buf + (reg - pos));
	return true;
}

/* Sets @watched when the write may change what vram_is_live() looks at. */
static bool vram_ends_memory(struct vram_device *vram, const char __user *buf, size_t count,
			     u64 pos, bool *watched)
{
	struct pci_dev *pdev = vram->core.pdev;
	bool ends = false, fault;
	u8 value;

	*watched = false;
	if (vram_written(buf, count, pos, PCI_COMMAND, &fault, &value)) {
		*watched = true;
		ends |= fault || !(value & PCI_COMMAND_MEMORY);
	}
	if (pdev->pm_cap &&
	    vram_written(buf, count, pos, pdev->pm_cap + PCI_PM_CTRL, &fault, &value)) {
		*watched = true;
		ends |= fault || (value & PCI_PM_CTRL_STATE_MASK) >= (__force u8)PCI_D3hot;
	}
	return ends;
}

ssize_t vram_write(struct vfio_device *vdev, const char __user *buf, size_t count, loff_t *ppos)
{
	struct vram_device *vram = to_vram(vdev);
	bool ends, watched;
	ssize_t ret;

	if (VFIO_PCI_OFFSET_TO_INDEX(*ppos) != VFIO_PCI_CONFIG_REGION_INDEX)
		return vfio_pci_core_write(vdev, buf, count, ppos);

	ends = vram_ends_memory(vram, buf, count, *ppos & VFIO_PCI_OFFSET_MASK, &watched);
	if (ends)
		vram_block(vram);
	ret = vfio_pci_core_write(vdev, buf, count, ppos);
	if (ends)
		vram_unblock(vram);
	else if (watched)
		vram_settle(vram);
	return ret;
}
