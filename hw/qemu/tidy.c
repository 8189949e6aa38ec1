/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/tidy.h"

#define FIRST_LOOK_MS 100
#define SELDOM_MS 2000

struct VramTidy {
    QEMUTimer *timer;
    int64_t wait_ms; /* until the next look */
};

static void look_later(VramTidy *tidy)
{
    timer_mod(tidy->timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + tidy->wait_ms);
}

static void tick(void *opaque)
{
    VramGPU *vg = opaque;

    vrl_table_tidy_lingering(vg->table);
    vg->tidy->wait_ms = MIN(2 * vg->tidy->wait_ms, SELDOM_MS);
    if (vrl_table_lingering(vg->table))
        look_later(vg->tidy);
}

void vram_tidy_watch(VramGPU *vg)
{
    if (!vrl_table_lingering(vg->table) || timer_pending(vg->tidy->timer))
        return;
    vg->tidy->wait_ms = FIRST_LOOK_MS;
    look_later(vg->tidy);
}

VramTidy *vram_tidy_new(VramGPU *vg)
{
    VramTidy *tidy = g_new0(VramTidy, 1);

    tidy->timer = timer_new_ms(QEMU_CLOCK_REALTIME, tick, vg);
    return tidy;
}

void vram_tidy_free(VramTidy *tidy)
{
    if (!tidy)
        return;
    timer_free(tidy->timer);
    g_free(tidy);
}
