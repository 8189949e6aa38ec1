/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What takes a VFIO device's memory away is seen before the kernel is told.
 *
 * Thread: as in vram-gpu.h.
 */
#ifndef VRAMLINK_QEMU_WATCH_H
#define VRAMLINK_QEMU_WATCH_H

#include "hw/qemu/vram-gpu.h"

/* From now on for this device. */
void vram_watch_device(Object *device);
void vram_watch_machine_resets(void);
void vram_watch_register(void);

#endif
