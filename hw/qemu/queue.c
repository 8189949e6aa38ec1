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
#include "hw/qemu/gl.h"
#include "hw/qemu/trace.h"

#define FLUSH_TIMEOUT_MS 500

void vram_flush_timer_arm(VramGPU *vg)
{
    if (timer_pending(vg->flush_timer))
        return;
    timer_mod(vg->flush_timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + FLUSH_TIMEOUT_MS);
}

static void hold_answer(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    QTAILQ_INSERT_TAIL(&vg->held, cmd, next);
    vg->held_count++;
    vram_trace(vg, hold, "command 0x%x fence %" PRIu64 " waits for a display, %u wait", cmd->cmd_hdr.type,
               cmd->cmd_hdr.fence_id, vg->held_count);
    if (vram_scanout_flip_pending(vg))
        vg->held_for_flip++;
    vram_flush_timer_arm(vg);
}

/* QEMU's 3D module answers it when its fence has passed. */
static void wait_for_fence(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd)
{
    QTAILQ_INSERT_TAIL(&g->fenceq, cmd, next);
    g->inflight++;
}

/* Answers the oldest @count of the held commands. */
static void answer_held(VramGPU *vg, uint32_t count)
{
    struct virtio_gpu_ctrl_command *cmd;

    for (; count && (cmd = QTAILQ_FIRST(&vg->held)); count--) {
        QTAILQ_REMOVE(&vg->held, cmd, next);
        vg->held_count--;
        if (vram_gl_fence(vg, cmd)) {
            wait_for_fence(VIRTIO_GPU(vg), cmd);
            continue;
        }
        vram_parent_response_nodata(VIRTIO_GPU(vg), cmd, VIRTIO_GPU_RESP_OK_NODATA);
        g_free(cmd);
    }
}

/* The frame that was held is released: its flushes are answered, the pending flip becomes the frame. */
static void next_frame(VramGPU *vg)
{
    uint32_t held_for_flip = vg->held_for_flip;

    timer_del(vg->flush_timer);
    vg->held_for_flip = 0;
    answer_held(vg, vg->held_count - MIN(held_for_flip, vg->held_count));
    vram_scanout_flip(vg);
    if (!VIRTIO_GPU_BASE(vg)->renderer_blocked)
        answer_held(vg, vg->held_count);
    else if (vg->held_count)
        vram_flush_timer_arm(vg);
    vram_gl_poll(vg);
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

/* Carries out one command. It is answered when this returns, or waits for a consumer, or for virglrenderer's
 * fence. False: it is suspended, and still the caller's. */
static bool run(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    VirtIOGPU *g = VIRTIO_GPU(vg);

    vg->wait = VRAM_WAITS_CONSUMER;
    VIRTIO_GPU_GET_CLASS(g)->process_cmd(g, cmd);
    if (cmd->finished) {
        g_free(cmd);
    } else if (vg->wait == VRAM_WAITS_SUSPENDED) {
        return false;
    } else if (vg->wait == VRAM_WAITS_FENCE) {
        wait_for_fence(g, cmd);
    } else {
        hold_answer(vg, cmd);
    }
    return true;
}

/* Carries out what waits, up to a command that is suspended. */
static void run_waiting(VramGPU *vg)
{
    struct virtio_gpu_ctrl_command *cmd;

    while ((cmd = QTAILQ_FIRST(&vg->waiting))) {
        QTAILQ_REMOVE(&vg->waiting, cmd, next);
        if (run(vg, cmd))
            continue;
        QTAILQ_INSERT_HEAD(&vg->waiting, cmd, next);
        break;
    }
}

void vram_queue_resume(VramGPU *vg)
{
    run_waiting(vg);
    if (!vram_flush_must_wait(vg))
        next_frame(vg);
    vram_gl_poll(vg);
}

#define DROP_COMMANDS(queue)                                                                                 \
    do {                                                                                                     \
        struct virtio_gpu_ctrl_command *cmd_;                                                                \
                                                                                                             \
        while ((cmd_ = QTAILQ_FIRST(queue))) {                                                               \
            QTAILQ_REMOVE(queue, cmd_, next);                                                                \
            virtqueue_detach_element(cmd_->vq, &cmd_->elem, 0);                                              \
            g_free(cmd_);                                                                                    \
        }                                                                                                    \
    } while (0)

void vram_queue_reset(VramGPU *vg)
{
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): does not see that the list's head moves on */
    DROP_COMMANDS(&vg->held);
    DROP_COMMANDS(&vg->waiting);
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
    timer_del(vg->flush_timer); /* nothing waits for a consumer any more */
    vg->held_count = 0;
    vg->held_for_flip = 0;
    vg->unpaced = false;
}

void vram_handle_ctrl(VirtIODevice *vdev, VirtQueue *vq)
{
    VramGPU *vg = VRAM_GPU(vdev);
    struct virtio_gpu_ctrl_command *cmd;

    if (!virtio_queue_ready(vq) || (vg->gl && !vram_gl_start(vg)))
        return;
    while ((cmd = virtqueue_pop(vq, sizeof(*cmd)))) {
        cmd->vq = vq;
        cmd->error = 0;
        cmd->finished = false;
        if (!QTAILQ_EMPTY(&vg->waiting) || !run(vg, cmd))
            QTAILQ_INSERT_TAIL(&vg->waiting, cmd, next);
    }
    vram_gl_poll(vg);
}
