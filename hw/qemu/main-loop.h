/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The main loop: which thread runs it, and work for it.
 *
 * Displays of this process and their GL contexts belong to the main loop's thread. A vCPU's thread and the
 * migration thread call us too, with the big lock held; they leave such work to the main loop (deferred.h).
 *
 * Bottom halves run in QEMU's iohandler context, which only the main loop polls. Those of QEMU's main context
 * may also run on a vCPU's thread, inside of a block device's aio_poll().
 *
 * Thread: any that holds the big lock.
 */
#ifndef VRAMLINK_QEMU_MAIN_LOOP_H
#define VRAMLINK_QEMU_MAIN_LOOP_H

#include "hw/qemu/vram-gpu.h"

/* Whether this thread is the main loop's. */
bool vram_on_main_loop(void);

/* The guard of the function around the device, whose regions the guest accesses: while it is engaged, what
 * the device writes (an answer, an interrupt) does not come back to it as an access (QEMU:
 * MemReentrancyGuard). */
MemReentrancyGuard *vram_guard(VramGPU *vg);

/* A bottom half of the device; @guarded: by vram_guard(). */
QEMUBH *vram_bh_new(VramGPU *vg, QEMUBHFunc *function, bool guarded);

/* Calls @function once, soon. */
void vram_bh_once(QEMUBHFunc *function, void *opaque);

/* The same with the device, whose memory is there until then, also when it is unplugged. That memory is a
 * part of the function around it, so it is that object which is referenced. */
void vram_bh_once_for(VramGPU *vg, void (*function)(VramGPU *vg));

#endif
