/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The control queue.
 *
 * QEMU's virtio-gpu stops reading commands while a consumer holds a frame (renderer_blocked). Here a consumer
 * delays one thing only, the answer to the RESOURCE_FLUSH that it is showing: Linux's driver waits without
 * bound for the answer to RESOURCE_DETACH_BACKING, inside the kernel's revocation of a dma-buf (Linux:
 * drivers/gpu/drm/virtio/virtgpu_object.c), so that answer must not depend on any consumer. A consumer that
 * keeps a frame for longer than FLUSH_TIMEOUT_MS loses its hold on the guest's pace: flushes are answered and
 * flips are shown without it, until it lets go of a frame in time again.
 */
#include "hw/qemu/trace.h"

#define FLUSH_TIMEOUT_MS 500

void vram_flush_timer_arm(VramGPU *vg)
{
    if (timer_pending(vg->flush_timer))
        return;
    timer_mod(vg->flush_timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + FLUSH_TIMEOUT_MS);
}

static void hold_answer(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd)
{
    VramGPU *vg = VRAM_GPU(g);

    QTAILQ_INSERT_TAIL(&g->fenceq, cmd, next);
    g->inflight++;
    vram_trace(vg, hold, "command 0x%x fence %" PRIu64 " waits for a display, %u wait", cmd->cmd_hdr.type,
               cmd->cmd_hdr.fence_id, g->inflight);
    if (vram_scanout_flip_pending(vg))
        vg->held_for_flip++;
    vram_flush_timer_arm(vg);
}

/* Answers the oldest @count of the held commands. */
static void answer_held(VirtIOGPU *g, uint32_t count)
{
    struct virtio_gpu_ctrl_command *cmd;

    for (; count && (cmd = QTAILQ_FIRST(&g->fenceq)); count--) {
        QTAILQ_REMOVE(&g->fenceq, cmd, next);
        g->inflight--;
        vram_parent_response_nodata(g, cmd, VIRTIO_GPU_RESP_OK_NODATA);
        g_free(cmd);
    }
}

/* The frame that was held is released: its flushes are answered, the pending flip becomes the frame. */
static void next_frame(VramGPU *vg)
{
    VirtIOGPU *g = VIRTIO_GPU(vg);
    uint32_t held_for_flip = vg->held_for_flip;

    timer_del(vg->flush_timer);
    vg->held_for_flip = 0;
    answer_held(g, g->inflight - MIN(held_for_flip, g->inflight));
    vram_scanout_flip(vg);
    if (!VIRTIO_GPU_BASE(vg)->renderer_blocked)
        answer_held(g, g->inflight);
    else if (g->inflight)
        vram_flush_timer_arm(vg);
}

void vram_frame_taken(VramGPU *vg, int blocked_before)
{
    if (!blocked_before && VIRTIO_GPU_BASE(vg)->renderer_blocked)
        vg->held_since = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
}

static bool waits_for_gl(const VramGPU *vg)
{
    return vg->parent_obj.parent_obj.renderer_blocked && !vg->unpaced;
}

bool vram_flush_must_wait(const VramGPU *vg)
{
    return vg->read_due || waits_for_gl(vg);
}

void vram_reads_done(VramGPU *vg)
{
    if (!waits_for_gl(vg))
        next_frame(vg);
}

void vram_gl_flushed(VirtIOGPUBase *base)
{
    VramGPU *vg = VRAM_GPU(base);

    if (vg->unpaced && qemu_clock_get_ms(QEMU_CLOCK_REALTIME) - vg->held_since <= FLUSH_TIMEOUT_MS) {
        vg->unpaced = false;
        vrl_table_log(vg->table, VRL_LOG_INFO, "the display consumer keeps up again: flushes wait for it");
    }
    if (!vg->read_due)
        next_frame(vg);
}

void vram_flush_timeout(void *opaque)
{
    VramGPU *vg = opaque;

    vram_readers_forget(vg);
    vg->unpaced = VIRTIO_GPU_BASE(vg)->renderer_blocked;
    vrl_table_log(vg->table, VRL_LOG_HOST,
                  "a display consumer has kept a frame for 500 ms: the guest no longer waits for it");
    next_frame(vg);
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
