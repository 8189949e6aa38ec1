/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Copying: pixels that a display cannot read from the blob itself. Either the CPU's view of the blob is a
 * copy, or QEMU's displays do not take the format and get a converted copy. A frame may be large and its
 * memory slow to read, so it is copied in slices (slice.h): some rows now, the rest in the main loop's next
 * turns.
 *
 * A flip is shown when its surface is filled; until then displays keep the frame before. A flush is answered
 * when what it named has been copied. A flip, a disable or the loss of the blob's memory ends the copying.
 *
 * Thread: main loop; cancelling also on a vCPU's thread.
 */
#ifndef VRAMLINK_QEMU_COPYING_H
#define VRAMLINK_QEMU_COPYING_H

#include "hw/qemu/vram-gpu.h"

/* Fills @surface with what is bound to the scanout and then shows it. Takes the surface and the charge for
 * its memory (NULL: it lies over the view). */
void vram_copying_flip(VramGPU *vg, uint32_t scanout_id, DisplaySurface *surface, struct vrl_charge *charge);
/* Brings a part of what is shown up to date, and then tells displays. */
void vram_copying_damage(VramGPU *vg, uint32_t scanout_id, const VramDamage *part);
/* A flip is being filled. */
bool vram_copying_flips(const VramGPU *vg, uint32_t scanout_id);
bool vram_copying_any(const VramGPU *vg);
void vram_copying_cancel(VramGPU *vg, uint32_t scanout_id);
/* The bottom half that goes on with it. */
void vram_copying_go_on(void *opaque);

/* The smallest rectangle around both; one without width is none. */
VramDamage vram_damage_union(VramDamage a, VramDamage b);

#endif
