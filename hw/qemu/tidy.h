/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Dma-bufs that linger (hw/blob/lingering.hpp) are closed when nobody holds them any more. The guest's
 * commands look at some; when none comes, a timer does, seldom, and only while there are any.
 *
 * Thread: any that holds the big lock; the timer on the main loop.
 */
#ifndef VRAMLINK_QEMU_TIDY_H
#define VRAMLINK_QEMU_TIDY_H

#include "hw/qemu/vram-gpu.h"

VramTidy *vram_tidy_new(VramGPU *vg);
/* NULL is fine. */
void vram_tidy_free(VramTidy *tidy);
/* After what may have left a dma-buf to linger. */
void vram_tidy_watch(VramGPU *vg);

#endif
