/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The 3D device, virtio-gpu-gl-vram-device: what it needs beyond the plain one.
 *
 * Inside of the room hw/qemu. Thread: the main loop with the big lock held, where virglrenderer's GL contexts
 * are current; vram_gl_release() may be called on a vCPU's thread, too.
 */
#ifndef VRAMLINK_QEMU_GL_H
#define VRAMLINK_QEMU_GL_H

#include "hw/qemu/vram-gpu.h"

/* What we call of virglrenderer and of QEMU's GL module; found in what QEMU has loaded (parent.c). */
typedef struct VramVirglCalls {
    int (*import_blob)(const void *args);
    void (*unref)(uint32_t id);
    void (*attach_to_context)(int context, int id);
    int (*create_fence)(int fence, uint32_t type);
    void (*force_context_0)(void);
    /* QEMU's module */
    int (*init)(VirtIOGPU *g);
    void (*reset)(VirtIOGPU *g);
    void (*poll_fences)(VirtIOGPU *g);
} VramVirglCalls;

/* --- gl-types.c */
const VramVirglCalls *vram_virgl(void);

/* --- gl-import.c: blobs in virglrenderer. */
VramGLBlobs *vram_gl_blobs_new(void);
void vram_gl_blobs_free(VramGLBlobs *blobs);
/* The blob has got backing: when it is shared, virglrenderer gets the dma-buf as well, and the contexts that
 * the guest attached the id to get it back. */
void vram_gl_import(VramGPU *vg, uint32_t id);
/* Consumers must let go: virglrenderer, too. What the guest attached stays noted until the id is forgotten.
 */
void vram_gl_release(VramGPU *vg, uint32_t id);
/* Carries out what vram_gl_release() had to leave to the main loop. */
void vram_gl_release_pending(VramGPU *vg);
/* The id is gone, or all are (0). */
void vram_gl_forget(VramGPU *vg, uint32_t id);
/* Commands on contexts: notes what concerns our blobs. True when the command is refused (cmd->error);
 * otherwise the parent carries it out. */
bool vram_gl_refuses(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd);
/* Whether the parent has a blob of this id, in the host's 3D memory. */
bool vram_gl_parent_has_blob(VramGPU *vg, uint32_t id);
/* A JSON object, to be freed with g_free(). */
char *vram_gl_stats_json(VramGPU *vg);

/* --- gl-queue.c */
/* Makes virglrenderer ready; false when it cannot be, as QEMU's own device then answers nothing. */
bool vram_gl_start(VramGPU *vg);
/* The command has been carried out, and its answer is due when virglrenderer has done all that came before:
 * QEMU's module answers it then, from fenceq, where the caller puts it. False: due now. */
bool vram_gl_fence(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd);
/* Looks which fences have passed, and sees to it that this is done again. */
void vram_gl_poll(VramGPU *vg);
/* Why the parent has left a command unanswered. @blocked: renderer_blocked before; it was 0 for the parent.
 */
VramWait vram_gl_why_waiting(VramGPU *vg, const struct virtio_gpu_ctrl_command *cmd, int blocked);
/* Whether the command is a flush for a consumer that has not answered many of them. */
bool vram_gl_too_far_ahead(VramGPU *vg, const struct virtio_gpu_ctrl_command *cmd);

#endif
