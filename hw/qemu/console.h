/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU's consoles and their displays: what these can be handed, and when they may be called.
 *
 * Thread: as in vram-gpu.h; vram_console_callable() tells whether displays may be called on it.
 */
#ifndef VRAMLINK_QEMU_CONSOLE_H
#define VRAMLINK_QEMU_CONSOLE_H

#include "hw/qemu/vram-gpu.h"

/* --- console.c: screendumps of a console that shows a dma-buf. */
void vram_console_hook(VramGPU *vg);
/* The device goes: its consoles stay with their displays, unused, until the next device takes them. On a
 * vCPU's thread the first call only ends all calls into the device, and the main loop makes the second. */
void vram_console_close(VramGPU *vg);
/* Whether this thread may call the console's displays. @dmabuf: they show a dma-buf of ours. */
bool vram_console_callable(const QemuConsole *con, bool dmabuf);
/* The console shows our dma-buf no more, for whoever joins; its displays have not been called yet. */
void vram_console_forget_dmabuf(QemuConsole *con);
/* Displays show nothing. @dmabuf: they show a dma-buf. */
void vram_console_blank(QemuConsole *con, bool dmabuf);
/* What the console's display does with a dma-buf. */
typedef enum VramTaker {
    VRAM_TAKER_NONE,      /* nothing: it shows surfaces */
    VRAM_TAKER_IMPORTS,   /* imports it in this process */
    VRAM_TAKER_PASSES_ON, /* hands the fd to another process (D-Bus, spice) */
} VramTaker;
VramTaker vram_console_taker(const QemuConsole *con);
/* Whether all displays of the console can show a surface of this format. */
bool vram_console_takes(QemuConsole *con, pixman_format_code_t format);
/* How many displays of the console are sent descriptors. */
unsigned vram_console_clients(const QemuConsole *con);
/* The displays of a console, @room of them at most; returns how many. */
unsigned vram_console_listeners(const QemuConsole *con, DisplayChangeListener **found, unsigned room);
/* Updates that displays have been handed and not answered. */
unsigned vram_console_outstanding(const QemuConsole *con);

/* --- software-gl.c: the GL that is current here reads what it imports through the CPU, and would crash on a
 * dma-buf of ours. */
bool vram_gl_is_software(void);
/* --- gl-driver.c: whether the kernel driver behind the GL that is current here unmaps a dma-buf when the
 * exporter asks for it, and not only when its last handle is closed. False when that is not known. */
bool vram_gl_lets_go(void);

/* --- cut-off.c: ends the connections of displays in other processes that hang. The cut_off callback of the
 * table. */
uint32_t vram_cut_off(void *opaque, const struct vrl_holders *holders);

#endif
