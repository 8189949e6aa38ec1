/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Trace events of ours in QEMU's own tracing: `trace-event-set-state` over QMP, `trace-event` in the monitor
 * and the plugin option trace=PATTERN turn them on (docs/tracing.md). Off, an event costs one branch on a
 * counter that QEMU keeps anyway.
 *
 * Thread: any that holds the big lock.
 */
#ifndef VRAMLINK_QEMU_TRACE_H
#define VRAMLINK_QEMU_TRACE_H

#include "hw/qemu/vram-gpu.h"
#include "trace/control.h"

/* vramlink_NAME each. */
#define VRAM_TRACE_EVENTS(EVENT)                                                                             \
    EVENT(create)                                                                                            \
    EVENT(attach)                                                                                            \
    EVENT(detach)                                                                                            \
    EVENT(unref)                                                                                             \
    EVENT(set_scanout)                                                                                       \
    EVENT(flush)                                                                                             \
    EVENT(show)                                                                                              \
    EVENT(hold)                                                                                              \
    EVENT(plan)                                                                                              \
    EVENT(export)                                                                                            \
    EVENT(release)                                                                                           \
    EVENT(revoke)

#define VRAM_TRACE_NUMBER(name) VRAM_TRACE_##name,
enum { VRAM_TRACE_EVENTS(VRAM_TRACE_NUMBER) VRAM_TRACE_COUNT };
#undef VRAM_TRACE_NUMBER

/* Written by QEMU's trace control; 1: on. */
extern uint16_t vram_trace_states[VRAM_TRACE_COUNT];

/* vram_trace(vg, NAME, format, ...): one line, without a newline. The arguments are evaluated only when the
 * event is on. */
#define vram_trace(vg, name, ...)                                                                            \
    do {                                                                                                     \
        if (unlikely(trace_events_enabled_count) && vram_trace_states[VRAM_TRACE_##name])                    \
            vram_trace_say(vg, "vramlink_" #name, __VA_ARGS__);                                              \
    } while (0)
void vram_trace_say(VramGPU *vg, const char *event, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Makes the events known to QEMU; once, before anything is traced. */
void vram_trace_register(void);
/* Turns on what matches, as -trace does: a name, a pattern with *, or either after a minus to turn off. */
void vram_trace_enable(const char *pattern);

/* The note callback of the table. */
void vram_trace_note(void *opaque, const struct vrl_note *note);

#endif
