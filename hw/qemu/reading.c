/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reading: displays read a blob's memory through its CPU view, and the host may take that memory away between
 * two loads (hw/view/bus_guard.hpp). While they may be reading, a load that the memory does not answer gives
 * zeros, and afterwards the blob is revoked.
 *
 * What we call ourselves is between begin and end. Displays that read by their timers ask for an update first
 * (QEMU: graphic_hw_update() in vnc_refresh(), qemu_spice_display_refresh(), gd_refresh(), screendump): from
 * there on to the end of the main loop's turn. Where others read, all of the turn is (turn.c).
 */
#include "hw/qemu/lose.h"
#include "hw/qemu/main-loop.h"

static bool turn_pending;

static void sweep(void *opaque)
{
    vram_lose_unreadable("the memory did not answer when it was read");
}

void vram_reading_begin(void)
{
    vrl_reading_begin();
}

/* Later: whoever reads now has the view in hand. */
static void sweep_soon(void)
{
    vram_bh_once(sweep, NULL);
}

void vram_reading_end(void)
{
    if (vrl_reading_end())
        sweep_soon();
}

void vram_reading_check(void)
{
    if (vrl_reading_lost())
        sweep_soon();
}

static void end_turn(void *opaque)
{
    turn_pending = false;
    vram_reading_end();
}

void vram_reading_turn(void)
{
    if (turn_pending)
        return;
    turn_pending = true;
    vram_reading_begin();
    vram_bh_once(end_turn, NULL);
}
