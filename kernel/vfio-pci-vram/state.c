// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the buffers of a device are live.
 *
 * Events that take memory away come in pairs: vram_block() before, when everything is revoked and
 * every importer has let go, and vram_unblock() after, when the buffers return if the device's
 * memory did. They nest and overlap (a reset from sysfs while the guest writes to config space),
 * therefore a count. Events that the device's own state shows (memory enabled, power state,
 * low-power entry) need only vram_settle().
 *
 * vram_device.lock is held while importers are waited for. A program that is to make them let go
 * must not have to wait here for that, so the event comes before the waiting, and neither an export
 * nor the private features nor vram_settle() takes the lock from who waits.
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
static bool vram_is_live(struct vram_device *vram)
{
	return vram->open && !vram->blocked && !vram->failed && vram_memory_enabled(vram);
}

static void vram_settle_locked(struct vram_device *vram)
{
	bool live = vram_is_live(vram), changed = false;
	struct vram_buffer *buffer = NULL;

	lockdep_assert_held(&vram->lock);

	vram_buffer_set_live(vram, live);
	while ((buffer = vram_buffer_next(vram, buffer)))
		changed |= vram_buffer_set_revoked(buffer, !live);
	if (changed)
		vram_event_signal(vram);
	while (!live && (buffer = vram_buffer_next(vram, buffer)))
		vram_buffer_wait(buffer);
}

/* Settles what was changed under the lock, by its holder or by those who found it taken. */
static void vram_unlock(struct vram_device *vram)
{
	do {
		if (atomic_xchg(&vram->unsettled, 0))
			vram_settle_locked(vram);
		mutex_unlock(&vram->lock);
	} while (atomic_read(&vram->unsettled) && mutex_trylock(&vram->lock));
}

void vram_settle(struct vram_device *vram)
{
	atomic_xchg(&vram->unsettled, 1);
	if (mutex_trylock(&vram->lock))
		vram_unlock(vram);
}

/*
 * For a new buffer: the device may be awake again without a call that settles (a wake-up ends
 * LOW_POWER_ENTRY_WITH_WAKEUP).
 */
void vram_look(struct vram_device *vram)
{
	if (!mutex_trylock(&vram->lock))
		return;
	if (vram_is_live(vram) != READ_ONCE(vram->live))
		vram_settle_locked(vram);
	vram_unlock(vram);
}

void vram_block(struct vram_device *vram)
{
	mutex_lock(&vram->lock);
	vram->blocked++;
	vram_settle_locked(vram);
	vram_unlock(vram);
}

void vram_unblock(struct vram_device *vram)
{
	mutex_lock(&vram->lock);
	vram->blocked--;
	vram_settle_locked(vram);
	vram_unlock(vram);
}

void vram_set_failed(struct vram_device *vram, bool failed)
{
	mutex_lock(&vram->lock);
	vram->failed = failed;
	vram_settle_locked(vram);
	vram_unlock(vram);
}

void vram_opened(struct vram_device *vram)
{
	mutex_lock(&vram->lock);
	vram->open = true;
	vram->failed = false;
	vram_settle_locked(vram);
	vram_unlock(vram);
}

/* Before vfio_pci_core disables the device: importers must not reach it then. */
void vram_closing(struct vram_device *vram)
{
	mutex_lock(&vram->lock);
	vram->open = false;
	vram_settle_locked(vram);
	vram_buffer_forget_all(vram);
	vram_event_drop(vram);
	vram_unlock(vram);
}
