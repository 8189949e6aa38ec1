/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The device's parent: QEMU's virtio-gpu, whose module exports its functions to nobody by name.
 */
#ifndef VRAMLINK_QEMU_PARENT_H
#define VRAMLINK_QEMU_PARENT_H

#include "hw/qemu/vram-gpu.h"

/* --- parent.c */
bool vram_parent_lookup(void); /* false, with a sentence on stderr, when one is missing */
void vram_parent_response_nodata(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd, uint32_t type);
/* Whether QEMU has the type, once the module that it comes in is loaded. */
bool vram_have_type(const char *type);
/* The class that the device's own class extends. */
VirtIOGPUClass *vram_parent_class(VramGPU *vg);
/* A function of the module that @method lies in, or of a library that this module uses; NULL when there is
 * none. */
void *vram_module_symbol(void *method, const char *name);

/* --- layout.c: false, with a sentence on stderr, when QEMU's structures are not as the headers say. Looks at
 * the types whose modules are loaded. */
bool vram_layout_check(void);

#endif
