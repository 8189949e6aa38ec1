/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The 3D device's control queue: starting virglrenderer, fences, suspended commands.
 *
 * Fences. Linux signals all earlier fences with the one that is answered (Linux: drivers/gpu/drm/virtio/
 * virtgpu_fence.c), so a blob command with a fence must not overtake 3D work: its answer waits in
 * virglrenderer's timeline, as the parent's commands do. QEMU's module answers what it finds in fenceq, whose
 * fence has passed; therefore answers that wait for a consumer are kept elsewhere (queue.c).
 *
 * Suspended commands. The parent starts to unmap a HOST3D blob, returns, and wants the same command again
 * once the guest no longer sees the memory; nothing may overtake it. It says so through a bottom half, which
 * we replace by ours.
 */
#include "hw/qemu/console.h"
#include "hw/qemu/gl.h"
#include "hw/qemu/main-loop.h"

#include "qemu/error-report.h"
#include "qemu/iov.h"
#include "qemu/main-loop.h"

static void resume_bh(void *opaque)
{
    vram_queue_resume(opaque);
}

/* QEMU's module makes these again with each start and forgets the old ones. */
static void drop_module_state(VirtIOGPUGL *gl)
{
    g_clear_pointer(&gl->fence_poll, timer_free);
    g_clear_pointer(&gl->print_stats, timer_free);
    g_clear_pointer(&gl->cmdq_resume_bh, qemu_bh_delete);
}

/* QEMU's module answers commands here and frees them afterwards: what an answer writes must not come back as
 * a reset of the device, which would free them first. */
void vram_gl_poll(VramGPU *vg)
{
    MemReentrancyGuard *guard;
    bool was;

    if (!vg->gl || vg->gl_obj.renderer_state != RS_INITED)
        return;
    guard = vram_guard(vg);
    was = guard->engaged_in_io;
    guard->engaged_in_io = true;
    vram_virgl()->poll_fences(VIRTIO_GPU(vg));
    guard->engaged_in_io = was;
}

static void poll_by_timer(void *opaque)
{
    vram_gl_poll(opaque);
}

bool vram_gl_start(VramGPU *vg)
{
    VirtIOGPUGL *gl = &vg->gl_obj;
    VirtIOGPU *g = VIRTIO_GPU(vg);

    if (gl->renderer_state == RS_INITED)
        return true;
    if (gl->renderer_state == RS_INIT_FAILED)
        return false;
    if (gl->renderer_state == RS_RESET)
        vram_virgl()->reset(g);
    drop_module_state(gl);
    if (vram_virgl()->init(g)) {
        gl->renderer_state = RS_INIT_FAILED;
        return false;
    }
    if (!gl->fence_poll) { /* what no property tells: see layout.c */
        error_report("vramlink: QEMU's virtio-gpu-gl has started and its VirtIOGPUGL is not as in the "
                     "headers that the "
                     "plugin was built with");
        gl->renderer_state = RS_INIT_FAILED;
        return false;
    }
    gl->renderer_state = RS_INITED;
    timer_free(gl->fence_poll);
    gl->fence_poll = timer_new_ms(QEMU_CLOCK_VIRTUAL, poll_by_timer, vg);
    if (gl->cmdq_resume_bh) {
        qemu_bh_delete(gl->cmdq_resume_bh);
        gl->cmdq_resume_bh = vram_bh_new(vg, resume_bh, false);
    }
    return true;
}

bool vram_gl_fence(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    /* A fence on a ring of a context's own says nothing about other commands. */
    if (!vg->gl || vg->gl_obj.renderer_state != RS_INITED || !(cmd->cmd_hdr.flags & VIRTIO_GPU_FLAG_FENCE) ||
        (cmd->cmd_hdr.flags & VIRTIO_GPU_FLAG_INFO_RING_IDX))
        return false;
    vram_virgl()->force_context_0();
    return vram_virgl()->create_fence((int)cmd->cmd_hdr.fence_id, cmd->cmd_hdr.type) == 0;
}

bool vram_gl_too_far_ahead(VramGPU *vg, const struct virtio_gpu_ctrl_command *cmd)
{
    const VirtIOGPUBase *base = VIRTIO_GPU_BASE(vg);
    struct virtio_gpu_resource_flush rf = {0};

    if (cmd->cmd_hdr.type != VIRTIO_GPU_CMD_RESOURCE_FLUSH)
        return false;
    iov_to_buf(cmd->elem.out_sg, cmd->elem.out_num, 0, &rf, sizeof(rf));
    for (uint32_t i = 0; i < base->conf.max_outputs; i++) {
        if (base->scanout[i].resource_id == le32_to_cpu(rf.resource_id) &&
            vram_console_outstanding(base->scanout[i].con) >= VRAM_MAX_OUTSTANDING)
            return true;
    }
    return false;
}

VramWait vram_gl_why_waiting(VramGPU *vg, const struct virtio_gpu_ctrl_command *cmd, int blocked)
{
    bool unmaps = cmd->cmd_hdr.type == VIRTIO_GPU_CMD_RESOURCE_UNREF ||
                  cmd->cmd_hdr.type == VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB;

    /* process_by_parent() has set it to 0 before, and neither command has anything to do with displays. */
    if (unmaps && VIRTIO_GPU_BASE(vg)->renderer_blocked)
        return VRAM_WAITS_SUSPENDED;
    /* QEMU's own device reads no command while a consumer holds a frame; here that is what paces a 3D guest.
     */
    if ((blocked || VIRTIO_GPU_BASE(vg)->renderer_blocked) && !vg->unpaced &&
        !(cmd->cmd_hdr.flags & VIRTIO_GPU_FLAG_INFO_RING_IDX))
        return VRAM_WAITS_CONSUMER;
    return VRAM_WAITS_FENCE;
}
