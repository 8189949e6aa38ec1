/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * In the place of hw/qemu/watch.c: a plugin that does not look at config writes, resets and unplug. The
 * kernel is asked for them while consumers still hold their imports, as it would be without the order of
 * docs/revocation.md.
 */
#include "hw/qemu/watch.h"

void vram_watch_device(Object *device) {}

void vram_watch_register(void) {}

void vram_watch_machine_resets(void) {}
