/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Displays that do not read: a process that is stopped, or that hangs, takes nothing from its socket. What it
 * has been sent stays in QEMU, descriptors included, and other displays of the console are kept from the
 * guest's frames. Such a display is sent no more than the socket and VRAM_MAX_FLIPS flips hold, and its
 * connection is ended when it has read nothing for VRAM_STALLED_S seconds.
 *
 * While a display is behind, it is looked at once a second; otherwise nothing runs here.
 *
 * Thread: any that holds the big lock; the timer on the main loop.
 */
#ifndef VRAMLINK_QEMU_STALLED_H
#define VRAMLINK_QEMU_STALLED_H

#include "hw/qemu/vram-gpu.h"

#define VRAM_STALLED_S 5

VramStalled *vram_stalled_new(VramGPU *vg);
void vram_stalled_free(VramStalled *stalled);
/* A display is behind: looks at all until none is. */
void vram_stalled_watch(VramGPU *vg);

#endif
