/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Surfaces with pixels of their own: a guest chooses how many and how large they are, so their memory is
 * charged, and there may be none. (QEMU's qemu_create_displaysurface() ends the process instead.)
 *
 * Thread: main loop.
 */
#ifndef VRAMLINK_QEMU_SURFACE_H
#define VRAMLINK_QEMU_SURFACE_H

#include "hw/qemu/vram-gpu.h"

/* XRGB8888, black. NULL, with one logged sentence, over the limit on host memory. The caller keeps the charge
 * for as long as the surface exists. */
DisplaySurface *vram_surface_new(VramGPU *vg, uint32_t width, uint32_t height, const char *for_what,
                                 struct vrl_charge **charge);

/* Tells the console's displays of damage. QEMU's D-Bus display offers a client the memory of a new surface,
 * and waits for its answer (QEMU: ui/dbus-listener.c, dbus_scanout_map()): of a client that is slow it waits
 * once. */
void vram_surface_update(VramGPU *vg, QemuConsole *con, const VramDamage *part);

#endif
