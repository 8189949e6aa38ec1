/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/main-loop.h"

#include <unistd.h>

#include "block/aio.h"
#include "qemu/main-loop.h"

/* QEMU runs its main loop in the first thread of the process (QEMU: system/main.c; only Cocoa changes
 * that). */
bool vram_on_main_loop(void)
{
    return gettid() == getpid();
}

MemReentrancyGuard *vram_guard(VramGPU *vg)
{
    return &qdev_get_parent_bus(DEVICE(vg))->parent->mem_reentrancy_guard;
}

QEMUBH *vram_bh_new(VramGPU *vg, QEMUBHFunc *function, bool guarded)
{
    return aio_bh_new_guarded(iohandler_get_aio_context(), function, vg, guarded ? vram_guard(vg) : NULL);
}

void vram_bh_once(QEMUBHFunc *function, void *opaque)
{
    aio_bh_schedule_oneshot(iohandler_get_aio_context(), function, opaque);
}

typedef struct Once {
    VramGPU *vg;
    Object *whole;
    void (*function)(VramGPU *vg);
} Once;

static void call_once(void *opaque)
{
    Once *once = opaque;

    once->function(once->vg);
    object_unref(once->whole);
    g_free(once);
}

void vram_bh_once_for(VramGPU *vg, void (*function)(VramGPU *vg))
{
    Once *once = g_new(Once, 1);

    *once =
        (Once){.vg = vg, .whole = OBJECT(vg)->parent ? OBJECT(vg)->parent : OBJECT(vg), .function = function};
    object_ref(once->whole);
    vram_bh_once(call_once, once);
}
