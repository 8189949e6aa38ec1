/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/stalled.h"

#include "hw/qemu/deferred.h"
#include "hw/qemu/question.h"

#define INTERVAL_MS 1000

/* A display that had bytes to read when it was looked at last. How many tells nothing: QEMU ends its own
 * calls after a second and makes others, and one that reads may have as many again. It is asked something
 * behind all of them. */
typedef struct Seen {
    const GDBusConnection *connection; /* only its address is used */
    VramQuestion *question;
    unsigned seconds; /* that it has not answered */
} Seen;

struct VramStalled {
    QEMUTimer *timer;
    Seen seen[VRAM_MAX_DBUS_DISPLAYS];
    unsigned count;
};

/* The display as it was seen before, if it owes an answer since then; what is found is taken out. */
static bool find_seen(VramStalled *stalled, const VramDbusDisplay *display, Seen *found)
{
    for (unsigned i = 0; i < stalled->count; i++) {
        Seen *seen = &stalled->seen[i];

        if (!seen->question || seen->connection != display->connection ||
            vram_question_answered(seen->question, 0))
            continue;
        *found = *seen;
        seen->question = NULL;
        return true;
    }
    return false;
}

static Seen ask(const VramDbusDisplay *display)
{
    Seen seen = {.connection = display->connection, .question = vram_question_new()};

    vram_question_ask(seen.question, 0, display->connection);
    return seen;
}

static void forget(VramStalled *stalled)
{
    for (unsigned i = 0; i < stalled->count; i++)
        g_clear_pointer(&stalled->seen[i].question, vram_question_free);
    stalled->count = 0;
}

static void cut(VramGPU *vg, const VramDbusDisplay *display)
{
    g_autofree char *sentence = g_strdup_printf(
        "the display of process %d has read nothing for %d s, %d bytes of what it was sent are "
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
        Seen seen;

        if (!displays[i].unread)
            continue;
        if (!find_seen(stalled, &displays[i], &seen)) {
            now[behind++] = ask(&displays[i]);
        } else if (++seen.seconds < VRAM_STALLED_S) {
            now[behind++] = seen;
        } else {
            cut(vg, &displays[i]);
            vram_question_free(seen.question);
        }
    }
    forget(stalled);
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
    forget(stalled);
    g_free(stalled);
}
