/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/stalled.h"

#include "hw/qemu/dbus-displays.h"
#include "hw/qemu/deferred.h"

#define INTERVAL_MS 1000

/* What a display had not read when it was looked at last. */
typedef struct Seen {
    const GDBusConnection *connection; /* only its address is used */
    int unread;
    unsigned seconds; /* that it has been the same */
} Seen;

struct VramStalled {
    QEMUTimer *timer;
    Seen seen[VRAM_MAX_DBUS_DISPLAYS];
    unsigned count;
};

static unsigned seconds_before(const VramStalled *stalled, const VramDbusDisplay *display)
{
    for (unsigned i = 0; i < stalled->count; i++) {
        const Seen *seen = &stalled->seen[i];

        if (seen->connection == display->connection && seen->unread == display->unread)
            return seen->seconds + 1;
    }
    return 0;
}

static void cut(VramGPU *vg, const VramDbusDisplay *display)
{
    g_autofree char *sentence =
        g_strdup_printf("the display of process %d has read nothing for %d s, %d bytes of what it was sent are "
                        "unread: its connection is ended",
                        (int)display->pid, VRAM_STALLED_S, display->unread);

    vrl_table_log(vg->table, VRL_LOG_HOST, sentence);
    vrl_table_count(vg->table, VRL_EVENT_CUT_OFF);
    vram_dbus_shut(display);
}

/* Whether any display has unread bytes. */
static bool look(VramGPU *vg)
{
    VramStalled *stalled = vg->stalled;
    VramDbusDisplay displays[VRAM_MAX_DBUS_DISPLAYS];
    Seen now[VRAM_MAX_DBUS_DISPLAYS];
    unsigned count = vram_dbus_displays(vg, displays), behind = 0;

    for (unsigned i = 0; i < count; i++) {
        const unsigned seconds = displays[i].unread ? seconds_before(stalled, &displays[i]) : 0;

        if (!displays[i].unread)
            continue;
        if (seconds >= VRAM_STALLED_S)
            cut(vg, &displays[i]);
        else
            now[behind++] = (Seen){displays[i].connection, displays[i].unread, seconds};
    }
    memcpy(stalled->seen, now, sizeof(now[0]) * behind);
    stalled->count = behind;
    return behind > 0;
}

static bool any_flip_pending(const VramGPU *vg)
{
    return vg->unpaced || vram_scanout_flip_pending(vg);
}

static void tick(void *opaque)
{
    VramGPU *vg = opaque;

    vram_deferred_run(vg);
    if (look(vg) || any_flip_pending(vg))
        vram_stalled_watch(vg);
    vram_queue_go_on(vg); /* a flip that waited for descriptors */
}

void vram_stalled_watch(VramGPU *vg)
{
    if (!timer_pending(vg->stalled->timer))
        timer_mod(vg->stalled->timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + INTERVAL_MS);
}

VramStalled *vram_stalled_new(VramGPU *vg)
{
    VramStalled *stalled = g_new0(VramStalled, 1);

    stalled->timer = timer_new_ms(QEMU_CLOCK_REALTIME, tick, vg);
    return stalled;
}

void vram_stalled_free(VramStalled *stalled)
{
    if (!stalled)
        return;
    timer_free(stalled->timer);
    g_free(stalled);
}
