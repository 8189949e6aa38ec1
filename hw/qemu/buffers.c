/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Known buffers: what QEMU's displays are handed, kept from flip to flip.
 *
 * A guest flips round between a few framebuffers. A display that imports keeps its texture with the
 * QemuDmaBuf, so the same framebuffer must come as the same QemuDmaBuf again.
 */
#include "hw/qemu/console.h"
#include "hw/qemu/deferred.h"
#include "hw/qemu/main-loop.h"

#include "qemu/main-loop.h"

static bool same_framebuffer(const struct vrl_framebuffer *a, const struct vrl_framebuffer *b)
{
    for (uint32_t i = 1; i < a->layout.nr_planes; i++) {
        if (a->more[i - 1].start != b->more[i - 1].start || a->more[i - 1].stride != b->more[i - 1].stride)
            return false;
    }
    return a->width == b->width && a->height == b->height && a->stride == b->stride && a->start == b->start &&
           a->layout.fourcc == b->layout.fourcc;
}

/* Whether a QemuDmaBuf can say where the planes are. */
static bool can_be_described(const struct vrl_framebuffer *fb)
{
    if (fb->layout.nr_planes > VRAMLINK_DMABUF_PLANES)
        return false;
    for (uint32_t i = 1; i < fb->layout.nr_planes; i++) {
        if (fb->more[i - 1].start < fb->start || fb->more[i - 1].start - fb->start > UINT32_MAX)
            return false;
    }
    return true;
}

static void unblock(void *con)
{
    graphic_hw_gl_block(con, false);
}

/* gtk draws in its own time and waits for the GPU's fence before it lets go of a frame (QEMU:
 * ui/gtk-egl.c, gd_egl_flush(), gd_egl_draw()); it finds the buffer again through the one that is shown then,
 * and asserts that there is one (gd_hw_gl_flushed()). So before another buffer or none is shown, what is
 * pending ends here. */
void vram_buffer_settle(QemuConsole *con, QemuDmaBuf *dmabuf)
{
    int fence = qemu_dmabuf_get_fence_fd(dmabuf);
    bool holds = qemu_dmabuf_get_draw_submitted(dmabuf) || fence >= 0;

    qemu_dmabuf_set_draw_submitted(dmabuf, false);
    if (fence >= 0) {
        qemu_set_fd_handler(fence, NULL, NULL, NULL);
        close(fence);
        qemu_dmabuf_set_fence_fd(dmabuf, -1);
    }
    if (holds) /* later: it answers flushes and carries out flips */
        vram_bh_once(unblock, con);
}

void vram_dmabuf_free(QemuConsole *con, QemuDmaBuf *dmabuf)
{
    /* Displays of this process import into a texture that hangs on the QemuDmaBuf. */
    if (qemu_dmabuf_get_texture(dmabuf))
        dpy_gl_release_dmabuf(con, dmabuf);
    qemu_dmabuf_free(dmabuf);
}

void vram_buffer_drop(VramGPU *vg, QemuConsole *con, VramKnownBuffer *known)
{
    if (!known->id)
        return;
    if (vram_console_callable(con, true))
        vram_dmabuf_free(con, known->dmabuf);
    else
        vram_defer_dmabuf(vg, con, known->dmabuf);
    *known = (VramKnownBuffer){0};
}

static VramKnownBuffer *find_known(VramScanout *s)
{
    for (unsigned i = 0; i < VRAM_KNOWN_BUFFERS; i++) {
        VramKnownBuffer *known = &s->known[i];

        if (known->id == s->id && same_framebuffer(&known->fb, &s->fb))
            return known;
    }
    return NULL;
}

static VramKnownBuffer *choose_victim(VramScanout *s)
{
    VramKnownBuffer *victim;

    for (unsigned i = 0; i < VRAM_KNOWN_BUFFERS; i++) {
        if (!s->known[i].id)
            return &s->known[i];
    }
    victim = &s->known[s->next_victim++ % VRAM_KNOWN_BUFFERS];
    return victim != s->current ? victim : &s->known[s->next_victim++ % VRAM_KNOWN_BUFFERS];
}

VramKnownBuffer *vram_buffer_of(VramGPU *vg, uint32_t scanout_id)
{
    VramScanout *s = &vg->scanout[scanout_id];
    VramKnownBuffer *known = find_known(s);
    int fd;

    if (known)
        return known;
    if (!can_be_described(&s->fb) || !vrl_table_dmabuf(vg->table, s->id, &s->fb, &fd))
        return NULL;
    known = choose_victim(s);
    vram_buffer_drop(vg, vg->parent_obj.parent_obj.scanout[scanout_id].con, known);
    *known = (VramKnownBuffer){
        .id = s->id,
        .fb = s->fb,
        .format = s->format,
        .dmabuf = vramlink_dmabuf_new(&s->fb, fd),
    };
    return known;
}
