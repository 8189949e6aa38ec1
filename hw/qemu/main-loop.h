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

/* A bottom half of the device; @guarded: not while the device is being accessed (QEMU: MemReentrancyGuard). */
QEMUBH *vram_bh_new(VramGPU *vg, QEMUBHFunc *function, bool guarded);

/* Calls @function once, soon. */
void vram_bh_once(QEMUBHFunc *function, void *opaque);

#endif
