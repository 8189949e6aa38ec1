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
 *
 * Commands are carried out for a slice of time (slice.h); what the guest adds meanwhile waits for the main
 * loop's next turn.
 */
#include "hw/qemu/command-copy.h"
#include "hw/qemu/copying.h"
#include "hw/qemu/deferred.h"
#include "hw/qemu/gl.h"
#include "hw/qemu/later.h"
#include "hw/qemu/parent.h"
#include "hw/qemu/slice.h"
#include "hw/qemu/stalled.h"
#include "hw/qemu/tidy.h"
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
    if (vram_is_gone(vg))
        return;
    vram_scanout_flip(vg);
    if (!vram_flush_must_wait(vg))
        answer_held(vg, vg->held_count);
    else if (vg->held_count)
        vram_flush_timer_arm(vg);
    if (!vram_is_gone(vg))
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
    return !vg->stopped && (vg->read_due || vram_copying_any(vg) || waits_for_gl(vg));
}

void vram_queue_go_on(VramGPU *vg)
{
    if (!vram_flush_must_wait(vg))
        next_frame(vg);
}

void vram_queue_run_state(VramGPU *vg, bool running)
{
    vg->stopped = !running;
    if (running)
        return;
    /* The state that is saved next has no place for them. */
    vg->held_for_flip = 0;
    answer_held(vg, vg->held_count);
}

void vram_gl_flushed(VirtIOGPUBase *base)
{
    VramGPU *vg = VRAM_GPU(base);

    vram_deferred_run(vg);
    if (vg->unpaced && qemu_clock_get_ms(QEMU_CLOCK_REALTIME) - vg->held_since <= FLUSH_TIMEOUT_MS) {
        vg->unpaced = false;
        vrl_table_log(vg->table, VRL_LOG_INFO, "the display consumer keeps up again: flushes wait for it");
    }
    vram_flips_read(vg);
    if (!vg->read_due && !vram_copying_any(vg))
        next_frame(vg);
}

void vram_flush_timeout(void *opaque)
{
    VramGPU *vg = opaque;
    bool displays = vg->read_due || VIRTIO_GPU_BASE(vg)->renderer_blocked;

    vram_deferred_run(vg);
    vram_readers_forget(vg);
    vg->unpaced = VIRTIO_GPU_BASE(vg)->renderer_blocked;
    vrl_table_log(vg->table, VRL_LOG_HOST,
                  displays
                      ? "a display consumer has kept a frame for 500 ms: the guest no longer waits for it"
                      : "a frame has not been copied in 500 ms: the guest no longer waits for it");
    if (vg->unpaced)
        vram_stalled_watch(vg);
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
    } else {
        vram_copy_drop(vg, &cmd->elem);
        if (vg->wait == VRAM_WAITS_FENCE)
            wait_for_fence(g, cmd);
        else
            hold_answer(vg, cmd);
    }
    return true;
}

static void run_or_suspend(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    if (run(vg, cmd))
        return;
    vg->suspended = cmd;
    vg->suspended_copy = vram_copy_save(vg, &cmd->elem);
}

/* Nothing may overtake a suspended command, so nothing is taken from the ring meanwhile. */
static void run_ring(VramGPU *vg, VirtQueue *vq)
{
    const int64_t began = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
    struct virtio_gpu_ctrl_command *cmd;

    vg->long_list = false;
    while (!vg->suspended) {
        if (vram_slice_over(vg->slice_end)) {
            if (vg->long_list)
                vram_later_rest(vg->ctrl_later, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) - began);
            else
                vram_later(vg->ctrl_later);
            break;
        }
        cmd = vram_copy_pop(vg, vq, sizeof(*cmd));
        if (!cmd)
            break;
        cmd->vq = vq;
        cmd->error = 0;
        cmd->finished = false;
        run_or_suspend(vg, cmd);
        if (vram_is_gone(vg))
            return;
    }
    vram_tidy_watch(vg);
    vram_gl_poll(vg);
}

void vram_queue_resume(VramGPU *vg)
{
    struct virtio_gpu_ctrl_command *cmd = g_steal_pointer(&vg->suspended);

    vram_deferred_run(vg);
    vg->slice_end = vram_slice_begin();
    if (cmd) {
        vram_copy_restore(vg, &cmd->elem, g_steal_pointer(&vg->suspended_copy));
        run_or_suspend(vg, cmd);
    }
    if (vram_is_gone(vg))
        return;
    run_ring(vg, VIRTIO_GPU(vg)->ctrl_vq);
    if (!vram_is_gone(vg))
        vram_queue_go_on(vg);
}

static void drop(struct virtio_gpu_ctrl_command *cmd)
{
    virtqueue_detach_element(cmd->vq, &cmd->elem, 0);
    g_free(cmd);
}

void vram_queue_reset(VramGPU *vg)
{
    struct virtio_gpu_ctrl_command *cmd, *following;

    QTAILQ_FOREACH_SAFE(cmd, &vg->held, next, following)
    {
        QTAILQ_REMOVE(&vg->held, cmd, next);
        drop(cmd);
    }
    if (vg->suspended)
        drop(g_steal_pointer(&vg->suspended));
    g_clear_pointer(&vg->suspended_copy, g_bytes_unref);
    timer_del(vg->flush_timer); /* nothing waits for a consumer any more */
    vg->held_count = 0;
    vg->held_for_flip = 0;
    vg->unpaced = false;
}

void vram_handle_ctrl(VirtIODevice *vdev, VirtQueue *vq)
{
    VramGPU *vg = VRAM_GPU(vdev);

    vram_deferred_run(vg);
    if (!virtio_queue_ready(vq) || (vg->gl && !vram_gl_start(vg)))
        return;
    vg->slice_end = vram_slice_begin();
    run_ring(vg, vq);
}
