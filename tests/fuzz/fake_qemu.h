/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A device without a QEMU around it: the real command decoder, queue and scanouts (hw/qemu/command.c,
 * queue.c, scanout.c) on a fake virtqueue, a fake parent class and fake consoles. Every call from below is
 * checked: what a console is handed must be readable, what it is asked to release it must have been handed,
 * and a command is answered once.
 *
 * A broken promise aborts, with a sentence. Thread: one.
 */
#ifndef VRAMLINK_TESTS_FUZZ_FAKE_QEMU_H
#define VRAMLINK_TESTS_FUZZ_FAKE_QEMU_H

#include "vramlink/blob_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fake_gpu;

#define FAKE_OUTPUTS 4u

/* How the consoles' displays behave; may change between commands. */
struct fake_displays {
    bool gl;           /* they take dma-bufs */
    bool imports;      /* in this process, so that an import may fail */
    bool import_works; /* and it does not */
    bool lets_go;      /* their driver does so when it is told */
    bool software;     /* they render with the CPU, and must not be handed a dma-buf to import */
    bool holds;        /* an update blocks the renderer until fake_gpu_let_go() */
};

/* Without a table: fake_gpu_set_table() follows. @displays is borrowed. */
struct fake_gpu *fake_gpu_new(const struct fake_displays *displays);
/* Everything that the consoles showed must have been let go. The table is the caller's, and gone already. */
void fake_gpu_free(struct fake_gpu *gpu);
void fake_gpu_set_table(struct fake_gpu *gpu, struct vrl_table *table);

/* The property still-ms. */
void fake_gpu_set_still_ms(struct fake_gpu *gpu, uint32_t ms);

/* For vrl_ops; @opaque is the gpu. */
bool fake_gpu_release_consumers(void *opaque, uint32_t id, bool revoked);
uint32_t fake_gpu_scanouts(void *opaque, uint32_t id);

/* One command from the guest. Answers the response code, or 0 when it is held back for a consumer. */
uint32_t fake_gpu_command(struct fake_gpu *gpu, const uint8_t *bytes, size_t size);
/* A cursor of 64x64 from the resource is read. */
void fake_gpu_cursor(struct fake_gpu *gpu, uint32_t id);
void fake_gpu_let_go(struct fake_gpu *gpu);
/* Half a second goes by. */
void fake_gpu_time_passes(struct fake_gpu *gpu);
/* What the device's reset does before the table's. */
void fake_gpu_reset(struct fake_gpu *gpu);
/* What holds between commands. */
void fake_gpu_check(struct fake_gpu *gpu);
/* Commands that wait for a consumer. */
uint32_t fake_gpu_held(struct fake_gpu *gpu);

#ifdef __cplusplus
}
#endif

#endif
