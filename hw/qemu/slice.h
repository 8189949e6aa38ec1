/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Slices: how long the device may work in one turn of the main loop.
 *
 * A guest that refills its ring, or that lets large frames be copied, would keep the main loop from everybody
 * else. Work ends after VRAM_SLICE_NS of the thread's CPU time and goes on in the next turn. CPU time,
 * because a busy host must not make the device slower than it is.
 *
 * Thread: main loop.
 */
#ifndef VRAMLINK_QEMU_SLICE_H
#define VRAMLINK_QEMU_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#define VRAM_SLICE_NS 5000000

/* When a slice that begins now ends; nanoseconds of the thread's CPU time. */
int64_t vram_slice_begin(void);
bool vram_slice_over(int64_t end);

#endif
