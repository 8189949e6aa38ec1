/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What another thread leaves to the main loop.
 *
 * Memory, or the device itself, may be taken away on a vCPU's thread. There, nothing waits for the main loop:
 * the big lock would have to be dropped inside of a callback of QEMU's, and another vCPU could unplug the
 * device meanwhile. Displays in other processes are told on the spot. Displays of this process belong to the
 * main loop; what they still show stays readable until the main loop has told them: views by the heart
 * (vrl_table_reap()), memory regions by a reference.
 *
 * The main loop does what was left to it before anything else with the device: before its next command.
 *
 * Thread: any that holds the big lock; vram_deferred_run() on the main loop.
 */
#ifndef VRAMLINK_QEMU_DEFERRED_H
#define VRAMLINK_QEMU_DEFERRED_H

#include "hw/qemu/vram-gpu.h"

VramDeferred *vram_deferred_new(VramGPU *vg);
/* Nothing is pending any more. */
void vram_deferred_free(VramDeferred *deferred);

/* Displays of the scanout show nothing, now or soon. @dmabuf: they show a dma-buf. */
void vram_blank(VramGPU *vg, uint32_t scanout_id, bool dmabuf);
/* Displays of this process let go of a buffer later. Takes it. */
void vram_defer_dmabuf(VramGPU *vg, QemuConsole *con, QemuDmaBuf *dmabuf);
/* The main loop looks at what is pending elsewhere. */
void vram_defer(VramGPU *vg);
/* The memory region exists until displays have let go. */
void vram_defer_region(VramGPU *vg, MemoryRegion *mr);
/* The device is gone but for what is pending: consoles are closed and the table is freed then. */
void vram_defer_end(VramGPU *vg);

/* Whether a display of this process may still show what it was told. */
bool vram_deferred_pending(const VramGPU *vg);
/* Does all that is pending. */
void vram_deferred_run(VramGPU *vg);

#endif
