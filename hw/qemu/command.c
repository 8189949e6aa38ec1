/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Decodes control commands (virtio 1.3, 5.7.6) and carries out those that concern blobs; the rest is the
 * parent's. Everything here comes from the guest: lengths are checked before anything is read or allocated.
 * What is read is the copy of the command (command-copy.h), which the guest cannot change any more.
 */
#include "hw/qemu/gl.h"
#include "hw/qemu/migrate.h"
#include "hw/qemu/parent.h"
#include "hw/qemu/trace.h"

#include "hw/virtio/virtio-gpu-bswap.h"
#include "qemu/iov.h"

/* A command's fixed part; cut_short() has seen that it is all there. */
#define READ_COMMAND(cmd, to) iov_to_buf((cmd)->elem.out_sg, (cmd)->elem.out_num, 0, to, sizeof(*(to)))

static void set_status(struct virtio_gpu_ctrl_command *cmd, enum vrl_status status)
{
    if (status != VRL_OK)
        cmd->error = status;
}

static uint32_t answer_of(const struct virtio_gpu_ctrl_command *cmd)
{
    return cmd->error ? cmd->error : VRL_OK;
}

/* Whether the parent knows a resource of this id: ids are one space, a 2D resource and a blob cannot share
 * one. */
static bool parent_has(VirtIOGPU *g, uint32_t id)
{
    struct virtio_gpu_simple_resource *res;

    QTAILQ_FOREACH(res, &g->reslist, next)
    {
        if (res->resource_id == id)
            return true;
    }
    return false;
}

/* Entries whose translation may take as long as a slice. */
#define LONG_LIST 4096u

/* The backing entries behind a command's fixed part. NULL, with cmd->error set, when the command is shorter
 * than its count says. Counts that the table refuses by number alone are passed on with no entries: the table
 * checks the count first and names the limit. */
static struct vrl_entry *read_entries(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd, size_t at,
                                      uint32_t count)
{
    size_t have = iov_size(cmd->elem.out_sg, cmd->elem.out_num);
    size_t want = (size_t)count * sizeof(struct virtio_gpu_mem_entry);
    struct vrl_entry *entries;

    QEMU_BUILD_BUG_ON(sizeof(struct vrl_entry) != sizeof(struct virtio_gpu_mem_entry));
    if (count == 0 || count > vrl_table_max_entries(vg->table))
        return g_new0(struct vrl_entry, 1);
    if (have - at < want) {
        vram_log_guest(vg, "a command says %u entries (%zu bytes) and carries %zu bytes of them", count, want,
                       have - at);
        cmd->error = VRL_ERR_INVALID_PARAMETER;
        return NULL;
    }
    entries = g_try_new(struct vrl_entry, count);
    if (!entries) {
        cmd->error = VRL_ERR_OUT_OF_MEMORY;
        return NULL;
    }
    vg->long_list |= count > LONG_LIST;
    iov_to_buf(cmd->elem.out_sg, cmd->elem.out_num, at, entries, want);
    for (uint32_t i = 0; i < count; i++) {
        entries[i].gpa = le64_to_cpu(entries[i].gpa);
        entries[i].length = le32_to_cpu(entries[i].length);
    }
    return entries;
}

/* Guest blobs are ours, whatever memory they lie in; those of the host's 3D memory are the 3D device's
 * parent's. False: the parent's. */
static bool create_blob(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    VirtIOGPU *g = VIRTIO_GPU(vg);
    struct virtio_gpu_resource_create_blob cblob;
    struct vrl_entry *entries;

    READ_COMMAND(cmd, &cblob);
    virtio_gpu_create_blob_bswap(&cblob);
    if (vg->gl && cblob.blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST) {
        if (!vrl_table_has(vg->table, cblob.resource_id))
            return false;
        vram_log_guest(vg, "blob %u: the id is in use by another blob", cblob.resource_id);
        cmd->error = VRL_ERR_INVALID_RESOURCE_ID;
        return true;
    }
    if (cblob.blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST) {
        vram_log_guest(vg, "blob %u: blob_mem is %u, only %u (GUEST) is offered", cblob.resource_id,
                       cblob.blob_mem, VIRTIO_GPU_BLOB_MEM_GUEST);
        cmd->error = VRL_ERR_INVALID_PARAMETER;
        return true;
    }
    if (parent_has(g, cblob.resource_id)) {
        vram_log_guest(vg, "blob %u: the id is in use by a 2D resource", cblob.resource_id);
        cmd->error = VRL_ERR_INVALID_RESOURCE_ID;
        return true;
    }
    entries = read_entries(vg, cmd, sizeof(cblob), cblob.nr_entries);
    if (!entries)
        return true;
    set_status(cmd, vrl_table_create(vg->table, cblob.resource_id, cblob.size, entries, cblob.nr_entries));
    g_free(entries);
    vram_trace(vg, create, "blob %u size %" PRIu64 " entries %u: answer 0x%x", cblob.resource_id, cblob.size,
               cblob.nr_entries, answer_of(cmd));
    if (!cmd->error)
        vram_gl_import(vg, cblob.resource_id);
    return true;
}

static void attach_backing(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd, uint32_t id)
{
    struct virtio_gpu_resource_attach_backing ab;
    struct vrl_entry *entries;
    enum vrl_status status;

    READ_COMMAND(cmd, &ab);
    entries = read_entries(vg, cmd, sizeof(ab), le32_to_cpu(ab.nr_entries));
    if (!entries)
        return;
    status = vrl_table_attach(vg->table, id, entries, le32_to_cpu(ab.nr_entries));
    g_free(entries);
    set_status(cmd, status);
    vram_trace(vg, attach, "blob %u entries %u: answer 0x%x", id, le32_to_cpu(ab.nr_entries), status);
    if (status != VRL_OK)
        return;
    vram_gl_import(vg, id);
    vram_scanout_restore(vg, id);
}

/* False: the 3D device's parent shows, or showed, a blob of its own. */
static bool set_scanout_blob(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    struct virtio_gpu_set_scanout_blob ss;

    READ_COMMAND(cmd, &ss);
    virtio_gpu_scanout_blob_bswap(&ss);
    if (ss.scanout_id >= vg->parent_obj.parent_obj.conf.max_outputs) {
        vram_log_guest(vg, "SET_SCANOUT_BLOB: scanout %u, there are %u", ss.scanout_id,
                       vg->parent_obj.parent_obj.conf.max_outputs);
        cmd->error = VRL_ERR_INVALID_SCANOUT_ID;
        return true;
    }
    if (vram_gl_parent_has_blob(vg, ss.resource_id)) {
        vram_scanout_disable(vg, ss.scanout_id);
        return false;
    }
    if (vg->gl && ss.resource_id == 0 && !vg->scanout[ss.scanout_id].id)
        return false;
    if (ss.resource_id == 0)
        vram_scanout_disable(vg, ss.scanout_id);
    else if (vrl_table_has(vg->table, ss.resource_id))
        set_status(cmd, vram_scanout_set(vg, ss.scanout_id, &ss));
    else {
        vram_log_guest(vg, "SET_SCANOUT_BLOB: resource %u is not a blob", ss.resource_id);
        cmd->error = VRL_ERR_INVALID_RESOURCE_ID;
    }
    vram_trace(vg, set_scanout,
               "scanout %u blob %u format %u rectangle %ux%u+%u+%u stride %u offset %u: answer 0x%x",
               ss.scanout_id, ss.resource_id, ss.format, ss.r.width, ss.r.height, ss.r.x, ss.r.y,
               ss.strides[0], ss.offsets[0], answer_of(cmd));
    return true;
}

static void flush(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd, uint32_t id)
{
    struct virtio_gpu_resource_flush rf;

    READ_COMMAND(cmd, &rf);
    virtio_gpu_bswap_32(&rf, sizeof(rf));
    if (vrl_table_is_revoked(vg->table, id)) {
        vram_log_guest(vg, "RESOURCE_FLUSH: the memory of blob %u is gone; attach new backing first", id);
        cmd->error = VRL_ERR_INVALID_RESOURCE_ID;
        return;
    }
    vram_trace(vg, flush, "blob %u rectangle %ux%u+%u+%u", id, rf.r.width, rf.r.height, rf.r.x, rf.r.y);
    vram_scanout_flush(vg, id, &rf.r);
}

static void detach(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd, uint32_t id)
{
    set_status(cmd, vrl_table_detach(vg->table, id));
    vram_trace(vg, detach, "blob %u: answer 0x%x", id, answer_of(cmd));
}

static void unref(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd, uint32_t id)
{
    set_status(cmd, vrl_table_unref(vg->table, id));
    vram_trace(vg, unref, "blob %u: answer 0x%x", id, answer_of(cmd));
    vram_scanout_forget(vg, id);
    vram_gl_forget(vg, id);
}

/* A 2D scanout command: ours to refuse for blobs, ours to turn off what we show; otherwise the parent's, once
 * we have stepped back. True when it is done. */
static bool set_scanout(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    struct virtio_gpu_set_scanout ss;

    READ_COMMAND(cmd, &ss);
    virtio_gpu_bswap_32(&ss, sizeof(ss));
    if (ss.scanout_id >= vg->parent_obj.parent_obj.conf.max_outputs)
        return false;
    if (vrl_table_has(vg->table, ss.resource_id)) {
        vram_log_guest(vg, "SET_SCANOUT: resource %u is a blob, SET_SCANOUT_BLOB is for those",
                       ss.resource_id);
        cmd->error = VRL_ERR_INVALID_PARAMETER;
        return true;
    }
    if (!vg->scanout[ss.scanout_id].id)
        return false;
    if (ss.resource_id == 0) {
        vram_scanout_disable(vg, ss.scanout_id);
        return true;
    }
    if (parent_has(VIRTIO_GPU(vg), ss.resource_id))
        vram_scanout_disable(vg, ss.scanout_id);
    return false;
}

/* The resource id of a command on one resource; 0 when it has none. */
static uint32_t command_resource(struct virtio_gpu_ctrl_command *cmd, size_t at)
{
    uint32_t id = 0;

    iov_to_buf(cmd->elem.out_sg, cmd->elem.out_num, at, &id, sizeof(id));
    return le32_to_cpu(id);
}

/* The parent answers an id that nobody has without a word. True when the command is refused. */
static bool refuse_unknown(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd, uint32_t id)
{
    switch (cmd->cmd_hdr.type) {
    case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
    case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING:
    case VIRTIO_GPU_CMD_RESOURCE_UNREF:
    case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
    case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
        break;
    default:
        return false;
    }
    if (parent_has(VIRTIO_GPU(vg), id))
        return false;
    vram_log_guest(vg, "%s: there is no resource %u", vrl_command_name(cmd->cmd_hdr.type), id);
    cmd->error = VRL_ERR_INVALID_RESOURCE_ID;
    return true;
}

/* Commands on one resource, when that resource is a blob. True when the command was one of these. */
static bool process_on_blob(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    size_t id_at = cmd->cmd_hdr.type == VIRTIO_GPU_CMD_RESOURCE_FLUSH
                       ? offsetof(struct virtio_gpu_resource_flush, resource_id)
                   : cmd->cmd_hdr.type == VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D
                       ? offsetof(struct virtio_gpu_transfer_to_host_2d, resource_id)
                       : sizeof(struct virtio_gpu_ctrl_hdr);
    uint32_t id = command_resource(cmd, id_at);
    bool outside;

    if (!vrl_table_has(vg->table, id))
        return refuse_unknown(vg, cmd, id);
    switch (cmd->cmd_hdr.type) {
    case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
        attach_backing(vg, cmd, id);
        return true;
    case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING:
        outside = vram_scanout_shown_outside(vg, id);
        vram_still_take(vg, id);
        if (outside)
            vram_scanout_flip_away(vg, id);
        detach(vg, cmd, id);
        return true;
    case VIRTIO_GPU_CMD_RESOURCE_UNREF:
        if (vram_scanout_shown_outside(vg, id))
            vram_scanout_flip_away(vg, id);
        unref(vg, cmd, id);
        return true;
    case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
        flush(vg, cmd, id);
        return true;
    case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D: /* a guest blob needs no transfer */
        return true;
    case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
    case VIRTIO_GPU_CMD_RESOURCE_CREATE_3D:
        vram_log_guest(vg, "RESOURCE_CREATE: resource id %u is in use by a blob", id);
        cmd->error = VRL_ERR_INVALID_RESOURCE_ID;
        return true;
    default:
        return false;
    }
}

static bool process_blob_cmd(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    switch (cmd->cmd_hdr.type) {
    case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB:
        return create_blob(vg, cmd);
    case VIRTIO_GPU_CMD_SET_SCANOUT_BLOB:
        return set_scanout_blob(vg, cmd);
    case VIRTIO_GPU_CMD_SET_SCANOUT:
        return set_scanout(vg, cmd);
    default:
        return process_on_blob(vg, cmd);
    }
}

/* Part of an id may be there, which is another id. True when the command is refused. */
static bool cut_short(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd, size_t want, const char *name)
{
    size_t have = iov_size(cmd->elem.out_sg, cmd->elem.out_num);

    if (have >= want)
        return false;
    vram_log_guest(vg, "%s has %zu bytes, it needs %zu", name, have, want);
    cmd->error = VRL_ERR_INVALID_PARAMETER;
    return true;
}

/* The parent takes over. It answers nothing while a consumer holds a frame; only a flush should wait for
 * that. */
static void process_by_parent(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    VirtIOGPU *g = VIRTIO_GPU(vg);
    VirtIOGPUBase *base = VIRTIO_GPU_BASE(vg);
    int blocked = base->renderer_blocked;

    if (cmd->cmd_hdr.type == VIRTIO_GPU_CMD_RESOURCE_FLUSH && !vg->gl) {
        vram_parent_class(vg)->process_cmd(g, cmd);
        if (!cmd->finished && !vram_flush_must_wait(vg)) /* it waits for a consumer that nobody waits for */
            vram_parent_response_nodata(g, cmd, answer_of(cmd));
        return;
    }
    if (vg->gl && vram_gl_too_far_ahead(vg, cmd)) {
        vram_parent_response_nodata(g, cmd, VRL_OK);
        return;
    }
    base->renderer_blocked = 0;
    vram_parent_class(vg)->process_cmd(g, cmd);
    if (vg->gl && !cmd->finished)
        vg->wait = vram_gl_why_waiting(vg, cmd, blocked);
    base->renderer_blocked += blocked;
    vram_frame_taken(vg, blocked);
}

void vram_process_cmd(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd)
{
    VramGPU *vg = VRAM_GPU(g);
    uint32_t type;
    bool is_flush;

    if (cut_short(vg, cmd, sizeof(cmd->cmd_hdr), "a command header")) {
        cmd->cmd_hdr = (struct virtio_gpu_ctrl_hdr){0};
        vram_parent_response_nodata(g, cmd, cmd->error);
        return;
    }
    READ_COMMAND(cmd, &cmd->cmd_hdr);
    virtio_gpu_ctrl_hdr_bswap(&cmd->cmd_hdr);
    type = cmd->cmd_hdr.type;
    vrl_table_count_command(vg->table, type);
    if (!cut_short(vg, cmd, vram_command_size(type), vrl_command_name(type)) && !vram_gl_refuses(vg, cmd) &&
        !process_blob_cmd(vg, cmd)) {
        process_by_parent(vg, cmd);
        return;
    }
    if (cmd->error)
        vrl_table_count_error(vg->table, cmd->error);
    vram_migration_update(vg);
    vram_pinned_update(vg);
    is_flush = type == VIRTIO_GPU_CMD_RESOURCE_FLUSH && !cmd->error;
    if (is_flush && vram_flush_must_wait(vg))
        return; /* answered when the consumer has let go of the previous frame */
    if (!cmd->error && vram_gl_fence(vg, cmd)) {
        vg->wait = VRAM_WAITS_FENCE;
        return;
    }
    vram_parent_response_nodata(g, cmd, answer_of(cmd));
}
