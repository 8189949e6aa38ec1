/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What QEMU's tracetool would generate from a trace-events file, for its "log" backend (QEMU:
 * scripts/tracetool/backend/log.py), by hand: a plugin has no part in QEMU's build. QEMU enters events in its
 * list at any time (QEMU: trace/control.c).
 */
#include "hw/qemu/trace.h"

#include "qemu/error-report.h"
#include "qemu/log-for-trace.h"

uint16_t vram_trace_states[VRAM_TRACE_COUNT];

#define VRAM_TRACE_DESCRIBE(event)                                                                           \
    {                                                                                                        \
        .name = "vramlink_" #event,                                                                          \
        .sstate = true,                                                                                      \
        .dstate = &vram_trace_states[VRAM_TRACE_##event],                                                    \
    },
static TraceEvent events[] = {VRAM_TRACE_EVENTS(VRAM_TRACE_DESCRIBE)};

void vram_trace_register(void)
{
    static TraceEvent *group[VRAM_TRACE_COUNT + 1]; /* ends with NULL */

    for (size_t i = 0; i < VRAM_TRACE_COUNT; i++)
        group[i] = &events[i];
    trace_event_register_group(group);
}

void vram_trace_enable(const char *pattern)
{
    trace_enable_events(pattern);
}

void vram_trace_say(VramGPU *vg, const char *event, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    if (!qemu_loglevel_mask(LOG_TRACE))
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    if (message_with_timestamp) {
        const int64_t now = g_get_real_time();

        qemu_log("%d@%" PRId64 ".%06d:", (int)getpid(), now / G_USEC_PER_SEC, (int)(now % G_USEC_PER_SEC));
    }
    qemu_log("%s %s: %s\n", event, vram_user_id(vg), text);
}

void vram_trace_note(void *opaque, const struct vrl_note *note)
{
    VramGPU *vg = opaque;

    switch (note->kind) {
    case VRL_NOTE_PLAN:
        vram_trace(vg, plan, "blob %u size %" PRIu64 " ranges %" PRIu64 ": %s, %s", note->id, note->size,
                   note->ranges, vrl_plan_name(note->plan), note->text);
        break;
    case VRL_NOTE_EXPORT:
        vram_trace(vg, export, "blob %u from byte %" PRIu64 " in %" PRIu64 " us: %s", note->id, note->start,
                   note->microseconds, note->text);
        break;
    case VRL_NOTE_REVOKE:
        vram_trace(vg, revoke, "blob %u: %s", note->id, note->text);
        break;
    }
}
