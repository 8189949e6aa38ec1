/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The control queue.
 *
 * QEMU's virtio-gpu stops reading commands while a consumer holds a frame (renderer_blocked). Here a consumer
 * delays one thing only, the answer to the RESOURCE_FLUSH that it is showing: Linux's driver waits without
 * bound for the answer to RESOURCE_DETACH_BACKING, inside the kernel's revocation of a dma-buf (Linux:
 * drivers/gpu/drm/virtio/virtgpu_object.c), so that answer must not depend on any consumer. A consumer that
 * keeps a frame for longer than FLUSH_TIMEOUT_MS loses its hold on the guest's pace.
 */
#include "hw/qemu/vram-gpu.h"

#define FLUSH_TIMEOUT_MS 500

static void hold_answer(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd)
{
    VramGPU *vg = VRAM_GPU(g);

    QTAILQ_INSERT_TAIL(&g->fenceq, cmd, next);
    g->inflight++;
    if (!timer_pending(vg->flush_timer))
        timer_mod(vg->flush_timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + FLUSH_TIMEOUT_MS);
}

static void answer_held(VirtIOGPU *g)
{
    struct virtio_gpu_ctrl_command *cmd;

    timer_del(VRAM_GPU(g)->flush_timer);
    while ((cmd = QTAILQ_FIRST(&g->fenceq))) {
        QTAILQ_REMOVE(&g->fenceq, cmd, next);
        g->inflight--;
        vram_parent_response_nodata(g, cmd, VIRTIO_GPU_RESP_OK_NODATA);
        g_free(cmd);
    }
}

void vram_gl_flushed(VirtIOGPUBase *base)
{
    answer_held(VIRTIO_GPU(base));
}

void vram_flush_timeout(void *opaque)
{
    VramGPU *vg = opaque;

    vrl_table_log(vg->table, VRL_LOG_HOST,
                  "a display consumer has kept a frame for 500 ms: the guest's flush is answered without it");
    answer_held(VIRTIO_GPU(vg));
}

/* Carries out one command. It is answered when this returns, or waits in fenceq for a consumer. */
static void run(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd)
{
    VIRTIO_GPU_GET_CLASS(g)->process_cmd(g, cmd);
    if (cmd->finished) {
        g_free(cmd);
        return;
    }
    hold_answer(g, cmd);
}

void vram_handle_ctrl(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOGPU *g = VIRTIO_GPU(vdev);
    struct virtio_gpu_ctrl_command *cmd;

    if (!virtio_queue_ready(vq))
        return;
    while ((cmd = virtqueue_pop(vq, sizeof(*cmd)))) {
        cmd->vq = vq;
        cmd->error = 0;
        cmd->finished = false;
        run(g, cmd);
    }
}
