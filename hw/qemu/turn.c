/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Displays that read a surface when they like: gtk without GL when GTK draws, a D-Bus display when a client
 * joins. While one is there that could read a blob whose memory the host may take away, all that the main
 * loop does between two waits is inside the guard of reading.c.
 *
 * A GLib source that is never ready sees where a turn begins and ends, since the first that QEMU's main loop
 * does after its wait is to check its sources, and the last before the next wait to prepare them (QEMU:
 * util/main-loop.c, os_host_main_loop_wait()); timers and bottom halves are in between, too.
 *
 * Thread: main loop.
 */
#include "hw/qemu/vram-gpu.h"

#include "hw/qemu/lose.h"

static bool guarded;

static gboolean before_wait(GSource *source, gint *timeout)
{
    *timeout = -1;
    if (guarded)
        vram_reading_end();
    guarded = false;
    return FALSE;
}

static gboolean after_wait(GSource *source)
{
    if (guarded || !vrl_reading_needed() || !vram_lose_any(vram_readers_unasked))
        return FALSE;
    guarded = true;
    vram_reading_begin();
    return FALSE;
}

static gboolean never(GSource *source, GSourceFunc callback, gpointer data)
{
    return G_SOURCE_CONTINUE;
}

void vram_turn_watch(void)
{
    static GSourceFuncs functions = {.prepare = before_wait, .check = after_wait, .dispatch = never};
    static GSource *source;

    if (source)
        return;
    source = g_source_new(&functions, sizeof(GSource));
    g_source_set_name(source, "vramlink: turn");
    g_source_set_priority(source, G_MININT); /* before anything else is looked at */
    g_source_attach(source, NULL);
}
