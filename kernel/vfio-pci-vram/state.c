// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the buffers of a device are live.
 *
 * Events that take memory away come in pairs: vram_block() before, when everything is revoked and
 * every importer has let go, and vram_unblock() after, when the buffers return if the device's
 * memory did. They nest and overlap (a reset from sysfs while the guest writes to config space),
 * therefore a count. Events that the device's own state shows (memory enabled, power state,
 * low-power entry) need only vram_settle().
 */
#include "vram.h"

/*
 * Does the device itself decode memory? After the recovery from an error its BARs and its command
 * register may be empty, though the guest's view of them is not; the next write to the command
 * register makes vfio_pci_core put them back. A device that has gone reads as all ones.
 */
static bool vram_device_decodes(struct pci_dev *pdev)
{
	u16 command;

	if (pdev->no_command_memory)
		return true;
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	return command != (u16)~0 && (command & PCI_COMMAND_MEMORY);
}

/*
 * What vfio_pci_core calls "memory enabled", and its low-power state. Reads the virtual command
 * register without memory_lock, which a reset holds around us. Bits are set there after the device
 * has them, and are cleared only between vram_block() and vram_unblock().
 */
static bool vram_memory_enabled(struct vram_device *vram)
{
	struct vfio_pci_core_device *core = &vram->core;
	u16 command = le16_to_cpu(READ_ONCE(*(__le16 *)&core->vconfig[PCI_COMMAND]));

	if (READ_ONCE(core->pm_runtime_engaged))
		return false;
	if ((__force int)core->pdev->current_state >= (__force int)PCI_D3hot)
		return false;
	if (!core->pdev->no_command_memory && !(command & PCI_COMMAND_MEMORY))
		return false;
	return vram_device_decodes(core->pdev);
}

/* With the device's lock held. vconfig exists while the device is open. */
bool vram_is_live(struct vram_device *vram)
{
	lockdep_assert_held(&vram->lock);

	return vram->open && !vram->blocked && !vram->failed && vram_memory_enabled(vram);
}

static void vram_settle_locked(struct vram_device *vram)
{
	bool live = vram_is_live(vram), changed = false;
	struct vram_buffer *buffer = NULL;

	while ((buffer = vram_buffer_next(vram, buffer))) {
		if (live)
			changed |= vram_buffer_restore(buffer);
		else
			changed |= vram_buffer_revoke(buffer);
	}
	if (changed)
		vram_event_signal(vram);
}

void vram_settle(struct vram_device *vram)
{
	mutex_lock(&vram->lock);
	vram_settle_locked(vram);
	mutex_unlock(&vram->lock);
}

void vram_block(struct vram_device *vram)
{
	mutex_lock(&vram->lock);
	vram->blocked++;
	vram_settle_locked(vram);
	mutex_unlock(&vram->lock);
}

void vram_unblock(struct vram_device *vram)
{
	mutex_lock(&vram->lock);
	vram->blocked--;
	vram_settle_locked(vram);
	mutex_unlock(&vram->lock);
}

void vram_set_failed(struct vram_device *vram, bool failed)
{
	mutex_lock(&vram->lock);
	vram->failed = failed;
	vram_settle_locked(vram);
	mutex_unlock(&vram->lock);
}

void vram_opened(struct vram_device *vram)
{
	mutex_lock(&vram->lock);
	vram->open = true;
	vram->failed = false;
	mutex_unlock(&vram->lock);
}

/* Before vfio_pci_core disables the device: importers must not reach it then. */
void vram_closing(struct vram_device *vram)
{
	mutex_lock(&vram->lock);
	vram->open = false;
	vram_settle_locked(vram);
	vram_buffer_forget_all(vram);
	vram_event_drop(vram);
	mutex_unlock(&vram->lock);
}
