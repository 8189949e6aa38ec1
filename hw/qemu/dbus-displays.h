/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The D-Bus displays of our consoles: the processes behind them, and what these have not read.
 *
 * QEMU's D-Bus display keeps its listeners to itself, and QEMU's file with their structure is not a header.
 * But GObject knows what is an object of which class: the listener is found around its DisplayChangeListener,
 * and the connection among its members, by their class pointers.
 *
 * Thread: any that holds the big lock.
 */
#ifndef VRAMLINK_QEMU_DBUS_DISPLAYS_H
#define VRAMLINK_QEMU_DBUS_DISPLAYS_H

#include "hw/qemu/vram-gpu.h"

#include <gio/gio.h>
#include <sys/types.h>

#define VRAM_MAX_DBUS_DISPLAYS 32

typedef struct VramDbusDisplay {
    GDBusConnection *connection; /* borrowed */
    int socket;                  /* QEMU's */
    pid_t pid;                   /* 0: of another PID namespace */
    int unread;                  /* bytes (SIOCOUTQ) */
} VramDbusDisplay;

/* Those of all consoles of the device whose other end is there; returns how many. */
unsigned vram_dbus_displays(const VramGPU *vg, VramDbusDisplay found[VRAM_MAX_DBUS_DISPLAYS]);

/* Whether a display that is sent pixels (no GL) has not read what it was sent. */
bool vram_dbus_behind(VramGPU *vg, uint32_t scanout_id);

/* Ends the connection. Not by closing it: GDBus would wait for what it is writing. The process is
 * remembered. */
void vram_dbus_shut(const VramDbusDisplay *display);

/* A process whose connection was ended, that exists and has not come back: it may still hold what it was
 * sent. 0: there is none. */
pid_t vram_dbus_suspect(const VramDbusDisplay *displays, unsigned count);

#endif
