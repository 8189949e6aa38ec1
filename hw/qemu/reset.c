/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The device's reset.
 *
 * QEMU's own virtio-gpu resets on the main loop and lets a vCPU that writes the reset wait for that, with the
 * big lock dropped. Another vCPU may unplug the device meanwhile, and the first returns into one that is
 * gone. Here everything is dropped on the thread that resets, and only what displays of this process show is
 * left to the main loop, before the guest's next command (deferred.h).
 */
#include "hw/qemu/deferred.h"
#include "hw/qemu/gl.h"
#include "hw/qemu/migrate.h"
#include "hw/qemu/tidy.h"

#include "qapi/error.h"
#include "qemu/error-report.h"

void vram_drop_all(VramGPU *vg)
{
    vram_queue_reset(vg);
    vram_scanout_reset(vg);
    vram_readers_forget(vg);
    vrl_table_reset(vg->table);
    vram_tidy_watch(vg);
    vram_gl_forget(vg, 0);
    vram_migration_forget(vg);
    vram_migration_update(vg);
    vram_pinned_update(vg);
}

/* Their surfaces keep the pixels for as long as they are shown. */
static void destroy_resources(VirtIOGPU *g)
{
    struct virtio_gpu_simple_resource *res, *following;

    QTAILQ_FOREACH_SAFE(res, &g->reslist, next, following)
    {
        Error *err = NULL;

        res->scanout_bitmask = 0; /* the scanouts are turned off below */
        VIRTIO_GPU_GET_CLASS(g)->resource_destroy(g, res, &err);
        if (err)
            error_report_err(err);
    }
}

static void drop_fenced(VirtIOGPU *g)
{
    struct virtio_gpu_ctrl_command *cmd;

    while ((cmd = QTAILQ_FIRST(&g->fenceq))) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what has been freed is not the first any more */
        QTAILQ_REMOVE(&g->fenceq, cmd, next);
        g->inflight--;
        virtqueue_detach_element(cmd->vq, &cmd->elem, 0);
        g_free(cmd);
    }
}

static void turn_off(VramGPU *vg)
{
    VirtIOGPUBase *base = VIRTIO_GPU_BASE(vg);

    base->enable = 0;
    for (uint32_t i = 0; i < base->conf.max_outputs; i++) {
        struct virtio_gpu_scanout *scanout = &base->scanout[i];

        scanout->resource_id = 0;
        scanout->x = scanout->y = 0;
        scanout->width = scanout->height = 0;
        scanout->ds = NULL;
        vram_blank(vg, i, false);
        if (vg->gl)
            vram_blank(vg, i, true);
    }
}

void vram_reset(VirtIODevice *vdev)
{
    VramGPU *vg = VRAM_GPU(vdev);
    VirtIOGPU *g = VIRTIO_GPU(vdev);

    if (!vg->table) /* not realized, or not any more */
        return;
    vram_drop_all(vg);
    destroy_resources(g);
    drop_fenced(g);
    turn_off(vg);
    /* virglrenderer itself follows with the next command (gl-queue.c). */
    if (vg->gl && vg->gl_obj.renderer_state == RS_INITED)
        vg->gl_obj.renderer_state = RS_RESET;
}
