/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/deferred.h"
#include "hw/qemu/console.h"

#include "hw/qemu/gl.h"
#include "hw/qemu/main-loop.h"

typedef struct DeferredDmabuf {
    QemuConsole *con;
    QemuDmaBuf *dmabuf;
} DeferredDmabuf;

struct VramDeferred {
    bool scheduled;
    bool end;                               /* the device is unplugged */
    bool blank[VIRTIO_GPU_MAX_SCANOUTS];    /* the console shows a surface that is to go */
    bool blank_gl[VIRTIO_GPU_MAX_SCANOUTS]; /* or a dma-buf */
    GArray *dmabufs;                        /* DeferredDmabuf */
    GPtrArray *regions;                     /* MemoryRegion *, a reference each */
};

static void release_region(gpointer mr)
{
    memory_region_unref(mr);
}

VramDeferred *vram_deferred_new(VramGPU *vg)
{
    VramDeferred *d = g_new0(VramDeferred, 1);

    d->dmabufs = g_array_new(FALSE, FALSE, sizeof(DeferredDmabuf));
    d->regions = g_ptr_array_new_with_free_func(release_region);
    return d;
}

void vram_deferred_free(VramDeferred *d)
{
    g_array_unref(d->dmabufs);
    g_ptr_array_unref(d->regions);
    g_free(d);
}

static VramDeferred *schedule(VramGPU *vg)
{
    if (!vg->deferred->scheduled) {
        vg->deferred->scheduled = true;
        vram_bh_once_for(vg, vram_deferred_run);
    }
    return vg->deferred;
}

/* The console's size is a placeholder's now. */
static void blank_now(VramGPU *vg, uint32_t scanout_id, bool dmabuf)
{
    vram_console_blank(vg->parent_obj.parent_obj.scanout[scanout_id].con, dmabuf);
    if (!dmabuf)
        vg->scanout[scanout_id].console_width = 0;
}

void vram_blank(VramGPU *vg, uint32_t scanout_id, bool dmabuf)
{
    QemuConsole *con = vg->parent_obj.parent_obj.scanout[scanout_id].con;
    VramDeferred *d;

    if (vram_console_callable(con, dmabuf)) {
        blank_now(vg, scanout_id, dmabuf);
        return;
    }
    d = schedule(vg);
    if (dmabuf) {
        vram_console_forget_dmabuf(con);
        d->blank_gl[scanout_id] = true;
    } else {
        d->blank[scanout_id] = true;
    }
}

void vram_defer(VramGPU *vg)
{
    schedule(vg);
}

void vram_defer_dmabuf(VramGPU *vg, QemuConsole *con, QemuDmaBuf *dmabuf)
{
    const DeferredDmabuf later = {con, dmabuf};

    g_array_append_val(schedule(vg)->dmabufs, later);
}

void vram_defer_region(VramGPU *vg, MemoryRegion *mr)
{
    memory_region_ref(mr);
    g_ptr_array_add(schedule(vg)->regions, mr);
}

void vram_defer_end(VramGPU *vg)
{
    schedule(vg)->end = true;
}

bool vram_deferred_pending(const VramGPU *vg)
{
    return vg->deferred->scheduled;
}

static void end_device(VramGPU *vg)
{
    vram_console_close(vg);
    g_clear_pointer(&vg->table, vrl_table_free);
    g_clear_pointer(&vg->deferred, vram_deferred_free);
}

void vram_deferred_run(VramGPU *vg)
{
    VramDeferred *d = vg->deferred;
    bool end;

    if (!d || !d->scheduled)
        return;
    d->scheduled = false;
    end = d->end;
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        if (d->blank_gl[i])
            blank_now(vg, i, true);
        if (d->blank[i])
            blank_now(vg, i, false);
        d->blank[i] = d->blank_gl[i] = false;
    }
    for (guint i = 0; i < d->dmabufs->len; i++) {
        const DeferredDmabuf *later = &g_array_index(d->dmabufs, DeferredDmabuf, i);

        vram_buffer_settle(later->con, later->dmabuf);
        vram_dmabuf_free(later->con, later->dmabuf);
    }
    g_array_set_size(d->dmabufs, 0);
    if (vg->gl)
        vram_gl_release_pending(vg);
    vrl_table_reap(vg->table);
    g_ptr_array_set_size(d->regions, 0);
    if (end)
        end_device(vg);
}
