/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/lose.h"

#include "block/aio.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"
#include "system/cpus.h"

/* The main loop may itself be waiting for the vCPU that waits here (to pause the machine); then the vCPU does
 * the work. */
#define MAIN_LOOP_LIMIT_MS 2000
#define STEP_MS 50
/* A guest that makes blobs as fast as they are revoked is not waited for. */
#define TRIES 8

typedef struct Loss {
    int device_fd;
    const char *why;
    bool taken;     /* somebody does the work */
    bool done;      /* it is done */
    bool abandoned; /* nobody waits: the bottom half frees it */
} Loss;

static GPtrArray *gpus; /* of VramGPU */
static QemuCond loss_done;

void vram_lose_add(VramGPU *vg)
{
    if (!gpus) {
        gpus = g_ptr_array_new();
        qemu_cond_init(&loss_done);
    }
    g_ptr_array_add(gpus, vg);
}

void vram_lose_remove(VramGPU *vg)
{
    g_ptr_array_remove(gpus, vg);
}

static uint32_t revoke_all(int device_fd, const char *why)
{
    uint32_t revoked = 0;

    for (guint i = 0; i < gpus->len; i++)
        revoked += vram_regions_revoke_device(g_ptr_array_index(gpus, i), device_fd, why);
    return revoked;
}

void vram_lose_unreadable(const char *why)
{
    for (guint i = 0; gpus && i < gpus->len; i++)
        vram_regions_revoke_lost(g_ptr_array_index(gpus, i), why);
}

void vram_lose_reported(int device_fd, const char *why)
{
    for (guint i = 0; gpus && i < gpus->len; i++)
        vram_regions_revoke_reported(g_ptr_array_index(gpus, i), device_fd, why);
}

static void on_main_loop(void *opaque)
{
    Loss *loss = opaque;

    if (loss->abandoned) {
        g_free(loss);
        return;
    }
    loss->taken = true;
    revoke_all(loss->device_fd, loss->why);
    loss->done = true;
    qemu_cond_broadcast(&loss_done);
}

static void hand_over(int device_fd, const char *why)
{
    Loss *loss = g_new(Loss, 1);
    int waited = 0;

    *loss = (Loss){.device_fd = device_fd, .why = why};
    aio_bh_schedule_oneshot(qemu_get_aio_context(), on_main_loop, loss);
    while (!loss->done && (loss->taken || waited < MAIN_LOOP_LIMIT_MS)) {
        qemu_cond_timedwait_bql(&loss_done, STEP_MS);
        waited += STEP_MS;
    }
    if (loss->done)
        g_free(loss);
    else
        loss->abandoned = true;
}

bool vram_lose_any(bool (*is_so)(const VramGPU *vg))
{
    for (guint i = 0; gpus && i < gpus->len; i++) {
        if (is_so(g_ptr_array_index(gpus, i)))
            return true;
    }
    return false;
}

static bool any_blob_in(int device_fd)
{
    for (guint i = 0; gpus && i < gpus->len; i++) {
        const VramGPU *vg = g_ptr_array_index(gpus, i);

        if (vrl_table_in_device(vg->table, device_fd))
            return true;
    }
    return false;
}

void vram_lose(Object *device, int device_fd, const char *why)
{
    if (!any_blob_in(device_fd))
        return;
    if (!qemu_in_vcpu_thread()) {
        revoke_all(device_fd, why);
        return;
    }
    object_ref(device);
    hand_over(device_fd, why);
    /* What came meanwhile, or was not done. */
    for (int i = 0; i < TRIES && revoke_all(device_fd, why); i++)
        continue;
    object_unref(device);
}
