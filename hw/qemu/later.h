/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Later: work of the device that goes on when its slice is over (slice.h).
 *
 * Whatever else is ready on the main loop comes first, so that a monitor command, which takes several turns,
 * does not wait for a slice in each. But the rest waits VRAM_LATER_MS at most, however busy the main loop is.
 *
 * Thread: main loop.
 */
#ifndef VRAMLINK_QEMU_LATER_H
#define VRAMLINK_QEMU_LATER_H

#include "hw/qemu/vram-gpu.h"

#define VRAM_LATER_MS 5

/* Schedules *@bh; borrows it. */
VramLater *vram_later_new(QEMUBH **bh);
/* NULL is fine. Nothing is scheduled any more. */
void vram_later_free(VramLater *later);
void vram_later(VramLater *later);
/* The slice was much too long, it took @ms: what has waited for it gets as long before the rest. */
void vram_later_rest(VramLater *later, int64_t ms);

#endif
