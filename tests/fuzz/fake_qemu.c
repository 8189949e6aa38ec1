/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/command-copy.h"
#include "hw/qemu/copying.h"
#include "hw/qemu/deferred.h"
#include "hw/qemu/gl.h"
#include "hw/qemu/later.h"
#include "hw/qemu/migrate.h"
#include "hw/qemu/parent.h"
#include "hw/qemu/stalled.h"
#include "hw/qemu/tidy.h"
#include "hw/qemu/trace.h"

#include "tests/fuzz/fake_device.h"

#include <fcntl.h>

#include "qemu/iov.h"

#define HOLD_MS 500

struct fake_gpu *fake;

/* --- QOM: everything is what it is asked to be */

Object *object_dynamic_cast_assert(Object *obj, const char *name, const char *file, int line,
                                   const char *func)
{
    return obj;
}

ObjectClass *object_class_dynamic_cast_assert(ObjectClass *klass, const char *name, const char *file,
                                              int line, const char *func)
{
    return klass;
}

ObjectClass *object_get_class(Object *obj)
{
    return (ObjectClass *)&fake->klass;
}

/* --- tracing: off */

int trace_events_enabled_count;
uint16_t vram_trace_states[VRAM_TRACE_COUNT];

void vram_trace_say(VramGPU *vg, const char *event, const char *format, ...) {}

/* --- vectors */

size_t iov_size(const struct iovec *iov, const unsigned int count)
{
    size_t size = 0;

    for (unsigned int i = 0; i < count; i++)
        size += iov[i].iov_len;
    return size;
}

size_t iov_to_buf_full(const struct iovec *iov, const unsigned int count, size_t offset, void *to,
                       size_t size)
{
    size_t done = 0;

    for (unsigned int i = 0; i < count && done < size; i++) {
        size_t part;

        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        part = MIN(iov[i].iov_len - offset, size - done);
        memcpy((char *)to + done, (const char *)iov[i].iov_base + offset, part);
        done += part;
        offset = 0;
    }
    return done;
}

/* --- the ring, the clock */

int virtio_queue_ready(VirtQueue *vq)
{
    return 1;
}

/* The command is a copy already. */
void *vram_copy_pop(VramGPU *vg, VirtQueue *vq, size_t size)
{
    return g_queue_pop_head(&fake->waiting);
}

void vram_copy_drop(VramGPU *vg, VirtQueueElement *elem) {}

GBytes *vram_copy_save(VramGPU *vg, VirtQueueElement *elem)
{
    abort();
}

void vram_copy_restore(VramGPU *vg, VirtQueueElement *elem, GBytes *saved)
{
    abort();
}

bool vram_is_gone(const VramGPU *vg)
{
    return false;
}

/* One thread. */
void vram_deferred_run(VramGPU *vg) {}

void vram_stalled_watch(VramGPU *vg) {}
void vram_tidy_watch(VramGPU *vg) {}

bool vram_slice_over(int64_t end)
{
    return false;
}

int64_t vram_slice_begin(void)
{
    return 0;
}

void vram_later(VramLater *later)
{
    abort();
}

void vram_later_rest(VramLater *later, int64_t ms)
{
    abort();
}

int64_t qemu_clock_get_ns(QEMUClockType type)
{
    return fake->now_ms * SCALE_MS;
}

void timer_mod(QEMUTimer *timer, int64_t expire)
{
    fake->timer_runs = true;
}

void timer_del(QEMUTimer *timer)
{
    fake->timer_runs = false;
}

bool timer_pending(QEMUTimer *timer)
{
    return fake->timer_runs;
}

/* --- the parent */

void vram_parent_response_nodata(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd, uint32_t type)
{
    must(!cmd->finished);
    must(type == VIRTIO_GPU_RESP_OK_NODATA || (type >= VRL_ERR_UNSPEC && type <= VRL_ERR_INVALID_PARAMETER));
    cmd->finished = true;
    fake->last_answer = type;
}

static struct virtio_gpu_simple_resource *find_2d(VirtIOGPU *g, uint32_t id)
{
    struct virtio_gpu_simple_resource *res;

    QTAILQ_FOREACH(res, &g->reslist, next)
    {
        if (res->resource_id == id)
            return res;
    }
    return NULL;
}

static void drop_2d(VirtIOGPU *g, struct virtio_gpu_simple_resource *res)
{
    QTAILQ_REMOVE(&g->reslist, res, next);
    g_free(res);
}

/* Knows as much of 2D resources as it takes to have their ids in the way. */
static void parent_process_cmd(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd)
{
    struct virtio_gpu_resource_create_2d words = {0};
    struct virtio_gpu_simple_resource *res;

    must(iov_to_buf(cmd->elem.out_sg, cmd->elem.out_num, 0, &words, sizeof(words)) >= sizeof(words.hdr));
    res = find_2d(g, words.resource_id);
    if (cmd->cmd_hdr.type == VIRTIO_GPU_CMD_RESOURCE_CREATE_2D && !res && words.resource_id) {
        must(!vrl_table_has(fake->vg.table, words.resource_id));
        res = g_new0(struct virtio_gpu_simple_resource, 1);
        res->resource_id = words.resource_id;
        QTAILQ_INSERT_HEAD(&g->reslist, res, next);
    } else if (cmd->cmd_hdr.type == VIRTIO_GPU_CMD_RESOURCE_UNREF && res) {
        drop_2d(g, res);
    }
    vram_parent_response_nodata(g, cmd, VIRTIO_GPU_RESP_OK_NODATA);
}

static void parent_update_cursor(VirtIOGPU *g, struct virtio_gpu_scanout *s, uint32_t id)
{
    must(!vrl_table_has(fake->vg.table, id));
}

VirtIOGPUClass *vram_parent_class(VramGPU *vg)
{
    return &fake->parent_class;
}

void vram_log_guest(VramGPU *vg, const char *format, ...)
{
    char sentence[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    vrl_table_log(vg->table, VRL_LOG_GUEST, sentence);
}

void vram_migration_update(VramGPU *vg) {}

void vram_pinned_update(VramGPU *vg) {}

/* The plain device: no virglrenderer. */
void vram_gl_import(VramGPU *vg, uint32_t id) {}
void vram_gl_forget(VramGPU *vg, uint32_t id) {}
void vram_gl_poll(VramGPU *vg) {}
bool vram_gl_start(VramGPU *vg)
{
    return false;
}
bool vram_gl_refuses(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    return false;
}
bool vram_gl_fence(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    return false;
}
bool vram_gl_parent_has_blob(VramGPU *vg, uint32_t id)
{
    return false;
}
bool vram_gl_too_far_ahead(VramGPU *vg, const struct virtio_gpu_ctrl_command *cmd)
{
    return false;
}
VramWait vram_gl_why_waiting(VramGPU *vg, const struct virtio_gpu_ctrl_command *cmd, int blocked)
{
    return VRAM_WAITS_CONSUMER;
}

/* The cursor queue is not fed. */
void virtqueue_push(VirtQueue *vq, const VirtQueueElement *elem, unsigned int len)
{
    abort();
}

void virtio_notify(VirtIODevice *vdev, VirtQueue *vq)
{
    abort();
}

void virtqueue_detach_element(VirtQueue *vq, const VirtQueueElement *elem, unsigned int len) {}

/* --- the device */

struct fake_gpu *fake_gpu_new(const struct fake_displays *displays)
{
    VirtIOGPU *g;
    char *error;

    fake = g_new0(struct fake_gpu, 1);
    fake->displays = displays;
    fake->klass.process_cmd = vram_process_cmd;
    fake->parent_class.process_cmd = parent_process_cmd;
    fake->parent_class.update_cursor_data = parent_update_cursor;
    g_queue_init(&fake->waiting);
    fake->vg.layouts = vrl_layouts_parse("NV12,P010,XR30,BX24:0x0100000000000002", &error);
    must(fake->vg.layouts);
    fake->vg.still_ms = 1000;
    g = VIRTIO_GPU(&fake->vg);
    QTAILQ_INIT(&g->reslist);
    QTAILQ_INIT(&fake->vg.held);
    g->parent_obj.conf.max_outputs = FAKE_OUTPUTS;
    for (unsigned i = 0; i < FAKE_OUTPUTS; i++)
        g->parent_obj.scanout[i].con = &fake->console[i].con;
    return fake;
}

void fake_gpu_set_table(struct fake_gpu *gpu, struct vrl_table *table)
{
    gpu->vg.table = table;
}

void fake_gpu_set_still_ms(struct fake_gpu *gpu, uint32_t ms)
{
    gpu->vg.still_ms = ms;
}

bool fake_gpu_release_consumers(void *opaque, uint32_t id, bool revoked)
{
    vram_scanout_release(opaque, id, revoked);
    return true;
}

uint32_t fake_gpu_scanouts(void *opaque, uint32_t id)
{
    return vram_scanout_mask(opaque, id);
}

uint32_t fake_gpu_command(struct fake_gpu *gpu, const uint8_t *bytes, size_t size)
{
    VirtIOGPU *g = VIRTIO_GPU(&gpu->vg);
    struct virtio_gpu_ctrl_command *cmd = g_new0(struct virtio_gpu_ctrl_command, 1);
    struct iovec pieces[2];
    void *copy = g_memdup2(bytes, size); /* exactly as long, so that a read too far is seen */
    size_t half = size / 2;
    uint32_t held = gpu->vg.held_count;

    pieces[0] = (struct iovec){copy, half};
    pieces[1] = (struct iovec){(char *)copy + half, size - half};
    cmd->elem.out_sg = pieces;
    cmd->elem.out_num = 2;
    g_queue_push_tail(&gpu->waiting, cmd);
    gpu->last_answer = 0;
    vram_handle_ctrl(VIRTIO_DEVICE(g), NULL);
    must(g_queue_is_empty(&gpu->waiting));
    must(gpu->last_answer || gpu->vg.held_count == held + 1);
    if (!gpu->last_answer) { /* nobody reads its words again */
        cmd->elem.out_sg = NULL;
        cmd->elem.out_num = 0;
    }
    g_free(copy);
    return gpu->last_answer;
}

void fake_gpu_cursor(struct fake_gpu *gpu, uint32_t id)
{
    struct virtio_gpu_scanout scanout = {0};

    scanout.current_cursor = g_malloc0(sizeof(QEMUCursor) + 64 * 64 * 4);
    scanout.current_cursor->width = 64;
    scanout.current_cursor->height = 64;
    vram_update_cursor_data(VIRTIO_GPU(&gpu->vg), &scanout, id);
    g_free(scanout.current_cursor);
}

void fake_gpu_let_go(struct fake_gpu *gpu)
{
    VirtIOGPUBase *base = VIRTIO_GPU_BASE(&gpu->vg);

    if (!base->renderer_blocked)
        return;
    base->renderer_blocked = 0;
    vram_gl_flushed(base);
    must(base->renderer_blocked || QTAILQ_EMPTY(&gpu->vg.held));
}

void fake_gpu_time_passes(struct fake_gpu *gpu)
{
    gpu->now_ms += HOLD_MS;
    if (!gpu->timer_runs)
        return;
    gpu->timer_runs = false;
    vram_flush_timeout(&gpu->vg);
}

uint32_t fake_gpu_held(struct fake_gpu *gpu)
{
    return gpu->vg.held_count;
}

void fake_gpu_reset(struct fake_gpu *gpu)
{
    VirtIOGPU *g = VIRTIO_GPU(&gpu->vg);
    struct virtio_gpu_simple_resource *res, *following;

    vram_queue_reset(&gpu->vg);
    vram_scanout_reset(&gpu->vg);
    vrl_table_reset(gpu->vg.table);
    QTAILQ_FOREACH_SAFE(res, &g->reslist, next, following)
    drop_2d(g, res);
    g->parent_obj.renderer_blocked = 0;
    gpu->timer_runs = false;
    must(gpu->dmabufs == 0);
}

void fake_gpu_check(struct fake_gpu *gpu)
{
    const VramGPU *vg = &gpu->vg;
    const struct virtio_gpu_ctrl_command *cmd;
    uint32_t held = 0;

    QTAILQ_FOREACH(cmd, &vg->held, next)
    held++;
    must(held == vg->held_count);
    must(!vg->suspended);
    must(!vram_copying_any(vg));
    must(!held || gpu->timer_runs); /* a consumer holds the guest for a bounded time */
    for (unsigned i = 0; i < FAKE_OUTPUTS; i++) {
        const VramScanout *s = &vg->scanout[i];
        const FakeConsole *c = &gpu->console[i];

        must(!s->id || vrl_table_has(vg->table, s->id));
        must(!s->shown || vrl_table_is_backed(vg->table, s->shown));
        must((s->showing == VRAM_SHOWING_DMABUF || s->showing == VRAM_SHOWING_SURFACE) == (s->shown != 0));
        must(s->showing != VRAM_SHOWING_DMABUF || c->dmabuf);
        must(s->showing != VRAM_SHOWING_SURFACE || c->surface);
        must((s->showing == VRAM_SHOWING_NOTHING) == (!c->dmabuf && !c->surface));
        must(s->showing != VRAM_SHOWING_STILL || (s->id && c->dmabuf == s->still_dmabuf));
        must(s->showing == VRAM_SHOWING_STILL || (!s->still && !s->still_dmabuf && !s->still_image));
        must(!c->dmabuf || fcntl(c->dmabuf->fd, F_GETFD) >= 0);
        if (c->surface) /* the whole picture can be read */
            dpy_gfx_update((QemuConsole *)&c->con, 0, 0, pixman_image_get_width(c->surface->image),
                           pixman_image_get_height(c->surface->image));
    }
}

void fake_gpu_free(struct fake_gpu *gpu)
{
    for (unsigned i = 0; i < FAKE_OUTPUTS; i++) {
        must(!gpu->console[i].dmabuf && !gpu->console[i].surface);
        vrl_charge_free(gpu->vg.scanout[i].surface_charge);
    }
    must(gpu->dmabufs == 0);
    vrl_layouts_free(gpu->vg.layouts);
    g_free(gpu);
    fake = NULL;
}
