/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Migration: blobs travel with the guest, but for those in a passthrough device's memory.
 *
 * Thread: as in vram-gpu.h.
 */
#ifndef VRAMLINK_QEMU_MIGRATE_H
#define VRAMLINK_QEMU_MIGRATE_H

#include "hw/qemu/vram-gpu.h"

/* --- migrate.c */
const VMStateDescription *vram_migration_vmstate(void);
/* To be called when a blob has got or lost its memory. */
void vram_migration_update(VramGPU *vg);
/* Drops what has arrived and is not in the table yet. */
void vram_migration_forget(VramGPU *vg);

/* --- migrate-parent.c: the parent's fields, of which its code saves and loads the first scanout only; all
 * scanouts of a VramGPU. */
const VMStateField *vram_migration_parent_fields(const VMStateDescription *parent);
extern const VMStateDescription vram_vmstate_scanouts;

#endif
