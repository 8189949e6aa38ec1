/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/later.h"

#include "qemu/main-loop.h"

struct VramLater {
    QEMUBH **bh;
    guint idle; /* GLib's id; 0: none */
    QEMUTimer *timer;
};

static void stop_waiting(VramLater *later)
{
    if (later->idle)
        g_source_remove(later->idle);
    later->idle = 0;
    timer_del(later->timer);
}

static gboolean nothing_else_is_ready(gpointer opaque)
{
    VramLater *later = opaque;

    later->idle = 0; /* GLib removes it */
    stop_waiting(later);
    qemu_bh_schedule(*later->bh);
    return G_SOURCE_REMOVE;
}

static void time_is_over(void *opaque)
{
    VramLater *later = opaque;

    stop_waiting(later);
    qemu_bh_schedule(*later->bh);
}

VramLater *vram_later_new(QEMUBH **bh)
{
    VramLater *later = g_new0(VramLater, 1);

    later->bh = bh;
    later->timer = timer_new_ms(QEMU_CLOCK_REALTIME, time_is_over, later);
    return later;
}

void vram_later_free(VramLater *later)
{
    if (!later)
        return;
    stop_waiting(later);
    timer_free(later->timer);
    g_free(later);
}

void vram_later_rest(VramLater *later, int64_t ms)
{
    if (!timer_pending(later->timer))
        timer_mod(later->timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + MAX(ms, VRAM_LATER_MS));
}

void vram_later(VramLater *later)
{
    if (later->idle)
        return;
    later->idle = g_idle_add_full(G_PRIORITY_DEFAULT_IDLE, nothing_else_is_ready, later, NULL);
    vram_later_rest(later, 0);
}
