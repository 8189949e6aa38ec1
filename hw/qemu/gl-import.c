/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Blobs in virglrenderer: a shared blob's dma-buf is imported there under the blob's id, so that the guest's
 * virgl contexts can attach it and sample from the passthrough GPU's memory.
 *
 * virglrenderer keeps a descriptor of its own, and makes an EGLImage of it when a context first says what the
 * bytes mean (PIPE_RESOURCE_SET_TYPE); that is where a GPU that cannot take the dma-buf refuses, inside of
 * virglrenderer, and the context is told. What virglrenderer holds goes before the heart closes its own
 * descriptor.
 *
 * A blob that moves loses its resource there and gets a new one with its new backing; Linux does not attach
 * it to its contexts again, so we do.
 */
#include "hw/qemu/command-copy.h"
#include "hw/qemu/console.h"
#include "hw/qemu/deferred.h"
#include "hw/qemu/gl.h"
#include "hw/qemu/main-loop.h"

#include <fcntl.h>
#include <unistd.h>

#include "qemu/iov.h"

/* virglrenderer.h, since version 0.9: struct virgl_renderer_resource_import_blob_args and its numbers. */
struct import_args {
    uint32_t id;
    uint32_t blob_mem;
    uint32_t fd_type;
    int fd; /* theirs when the call succeeds */
    uint64_t size;
};
#define BLOB_MEM_GUEST_VRAM 4
#define FD_TYPE_DMABUF 2

/* More contexts than a desktop has clients; what we note for one blob is bounded by it. */
#define MAX_CONTEXTS 256u

typedef struct GLBlob {
    bool imported;
    bool release_pending;
    struct vrl_charge *charge; /* for its descriptor */
    GArray *contexts;          /* uint32_t; NULL: none */
} GLBlob;

struct VramGLBlobs {
    GHashTable *by_id; /* id -> GLBlob */
    bool any_pending;
    uint64_t imports, failed, released;
    char *why; /* the last refusal */
};

static void gl_blob_free(gpointer opaque)
{
    GLBlob *blob = opaque;

    if (blob->contexts)
        g_array_unref(blob->contexts);
    vrl_charge_free(blob->charge);
    g_free(blob);
}

VramGLBlobs *vram_gl_blobs_new(void)
{
    VramGLBlobs *blobs = g_new0(VramGLBlobs, 1);

    blobs->by_id = g_hash_table_new_full(NULL, NULL, NULL, gl_blob_free);
    return blobs;
}

void vram_gl_blobs_free(VramGLBlobs *blobs)
{
    if (!blobs)
        return;
    g_hash_table_unref(blobs->by_id);
    g_free(blobs->why);
    g_free(blobs);
}

static GLBlob *find(VramGPU *vg, uint32_t id)
{
    return g_hash_table_lookup(vg->gl->by_id, GUINT_TO_POINTER(id));
}

static GLBlob *find_or_add(VramGPU *vg, uint32_t id)
{
    GLBlob *blob = find(vg, id);

    if (!blob) {
        blob = g_new0(GLBlob, 1);
        g_hash_table_insert(vg->gl->by_id, GUINT_TO_POINTER(id), blob);
    }
    return blob;
}

/* --- in and out */

static void refused(VramGPU *vg, uint32_t id, const char *why)
{
    g_autofree char *sentence =
        g_strdup_printf("blob %u: 3D contexts of the guest cannot use it: %s", id, why);

    vg->gl->failed++;
    g_free(vg->gl->why);
    vg->gl->why = g_strdup(sentence);
    vrl_table_log(vg->table, VRL_LOG_HOST, sentence);
}

static void call_failed(VramGPU *vg, uint32_t id, const char *call, int error)
{
    g_autofree char *why = g_strdup_printf("%s: %s", call, strerror(error));

    refused(vg, id, why);
}

static bool import_dmabuf(VramGPU *vg, uint32_t id, int borrowed_fd)
{
    struct import_args args = {.id = id, .blob_mem = BLOB_MEM_GUEST_VRAM, .fd_type = FD_TYPE_DMABUF};
    off_t size = lseek(borrowed_fd, 0, SEEK_END);
    int ret;

    if (size <= 0) {
        call_failed(vg, id, "lseek() of its dma-buf", size < 0 ? errno : ENODATA);
        return false;
    }
    args.size = (uint64_t)size;
    args.fd = fcntl(borrowed_fd, F_DUPFD_CLOEXEC, 0);
    if (args.fd < 0) {
        call_failed(vg, id, "fcntl(F_DUPFD_CLOEXEC) of its dma-buf", errno);
        return false;
    }
    ret = vram_virgl()->import_blob(&args);
    if (ret) {
        close(args.fd);
        call_failed(vg, id, "virgl_renderer_resource_import_blob()", abs(ret));
        return false;
    }
    return true;
}

void vram_gl_import(VramGPU *vg, uint32_t id)
{
    const struct vrl_framebuffer whole = {.width = 1, .height = 1, .bytes_pp = 4, .stride = 4};
    GLBlob *blob;
    int fd;

    if (!vg->gl || !vrl_table_dmabuf(vg->table, id, &whole, &fd))
        return;
    vram_virgl()->force_context_0();
    if (vram_checks_imports(vg) && vrl_table_in_vfio(vg->table, id) && !vram_gl_is_software() &&
        !vram_gl_lets_go()) {
        refused(vg, id,
                "the GPU's driver would keep VRAM that the guest takes away, and QEMU would wait for itself");
        return;
    }
    if (vram_checks_imports(vg) && vram_gl_is_software()) {
        refused(
            vg, id,
            "OpenGL renders in software here, through a mapping (DRM_IOCTL_MODE_MAP_DUMB) that the kernel "
            "gives of no imported buffer");
        return;
    }
    blob = find_or_add(vg, id);
    blob->charge = vrl_table_charge(vg->table, VRL_RESOURCE_DESCRIPTORS, 1, "a buffer in virglrenderer");
    if (!blob->charge) {
        refused(vg, id, "too many descriptors are open");
        return;
    }
    blob->imported = import_dmabuf(vg, id, fd);
    if (!blob->imported) {
        g_clear_pointer(&blob->charge, vrl_charge_free);
        return;
    }
    vrl_table_imported_here(vg->table, id);
    vg->gl->imports++;
    for (guint i = 0; blob->contexts && i < blob->contexts->len; i++)
        vram_virgl()->attach_to_context((int)g_array_index(blob->contexts, uint32_t, i), (int)id);
}

/* virglrenderer takes the resource from all contexts that it is attached to. */
static void release_now(VramGPU *vg, uint32_t id, GLBlob *blob)
{
    blob->imported = false;
    blob->release_pending = false;
    vg->gl->released++;
    vram_virgl()->force_context_0();
    vram_virgl()->unref(id);
    g_clear_pointer(&blob->charge, vrl_charge_free);
}

void vram_gl_release_pending(VramGPU *vg)
{
    GHashTableIter iter;
    gpointer id, blob;

    if (!vg->gl->any_pending)
        return;
    vg->gl->any_pending = false;
    g_hash_table_iter_init(&iter, vg->gl->by_id);
    while (g_hash_table_iter_next(&iter, &id, &blob)) {
        if (((GLBlob *)blob)->release_pending)
            release_now(vg, GPOINTER_TO_UINT(id), blob);
    }
}

void vram_gl_release(VramGPU *vg, uint32_t id)
{
    GLBlob *blob = vg->gl ? find(vg, id) : NULL;

    if (!blob || !blob->imported)
        return;
    if (vram_on_main_loop()) {
        release_now(vg, id, blob);
        return;
    }
    /* The GL contexts are the main loop's; it comes before the guest's next command. */
    blob->release_pending = true;
    vg->gl->any_pending = true;
    vram_defer(vg);
}

/* The contexts are gone in any case. What virglrenderer still has on another thread's account stays until it
 * is released. */
static gboolean is_released(gpointer id, gpointer opaque, gpointer unused)
{
    GLBlob *blob = opaque;

    g_clear_pointer(&blob->contexts, g_array_unref);
    return !blob->release_pending;
}

void vram_gl_forget(VramGPU *vg, uint32_t id)
{
    if (!vg->gl)
        return;
    if (id)
        g_hash_table_remove(vg->gl->by_id, GUINT_TO_POINTER(id));
    else
        g_hash_table_foreach_remove(vg->gl->by_id, is_released, NULL);
}

/* --- what the guest attaches */

static bool find_context(const GLBlob *blob, uint32_t context, guint *at)
{
    for (guint i = 0; blob->contexts && i < blob->contexts->len; i++) {
        if (g_array_index(blob->contexts, uint32_t, i) == context) {
            *at = i;
            return true;
        }
    }
    return false;
}

static bool note_attached(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd, uint32_t id)
{
    uint32_t context = cmd->cmd_hdr.ctx_id;
    GLBlob *blob;
    guint at;

    if (vrl_table_is_revoked(vg->table, id)) {
        vram_log_guest(vg, "CTX_ATTACH_RESOURCE: the memory of blob %u is gone; attach new backing first",
                       id);
        cmd->error = VRL_ERR_INVALID_RESOURCE_ID;
        return false;
    }
    blob = find_or_add(vg, id);
    if (find_context(blob, context, &at))
        return true;
    if (blob->contexts && blob->contexts->len >= MAX_CONTEXTS) {
        vram_log_guest(vg, "CTX_ATTACH_RESOURCE: blob %u is attached to %u contexts, that is the limit", id,
                       MAX_CONTEXTS);
        cmd->error = VRL_ERR_OUT_OF_MEMORY;
        return false;
    }
    if (!blob->contexts)
        blob->contexts = g_array_new(false, false, sizeof(uint32_t));
    g_array_append_val(blob->contexts, context);
    return true;
}

static void drop_context(GLBlob *blob, uint32_t context)
{
    guint at;

    if (find_context(blob, context, &at))
        g_array_remove_index_fast(blob->contexts, at);
}

static void forget_context(VramGPU *vg, uint32_t context)
{
    GHashTableIter iter;
    gpointer blob;

    g_hash_table_iter_init(&iter, vg->gl->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &blob))
        drop_context(blob, context);
}

/* QEMU 10.0 allocates what the guest says before it looks at how much there is. */
static bool submit_cut_short(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    size_t have = iov_size(cmd->elem.out_sg, cmd->elem.out_num);
    struct virtio_gpu_cmd_submit submit = {0};

    iov_to_buf(cmd->elem.out_sg, cmd->elem.out_num, 0, &submit, sizeof(submit));
    if (have >= sizeof(submit) && le32_to_cpu(submit.size) <= have - sizeof(submit))
        return false;
    vram_log_guest(vg, "SUBMIT_3D says %u bytes, the command has %zu in all; %zu are read at most",
                   le32_to_cpu(submit.size), have, vram_copy_limit(vg));
    cmd->error = VRL_ERR_INVALID_PARAMETER;
    return true;
}

bool vram_gl_refuses(VramGPU *vg, struct virtio_gpu_ctrl_command *cmd)
{
    struct virtio_gpu_ctx_resource words = {0};
    uint32_t id;

    if (!vg->gl)
        return false;
    iov_to_buf(cmd->elem.out_sg, cmd->elem.out_num, 0, &words, sizeof(words));
    id = le32_to_cpu(words.resource_id);
    switch (cmd->cmd_hdr.type) {
    case VIRTIO_GPU_CMD_CTX_CREATE:
    case VIRTIO_GPU_CMD_CTX_DESTROY:
        forget_context(vg, cmd->cmd_hdr.ctx_id);
        return false;
    case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
        return vrl_table_has(vg->table, id) && !note_attached(vg, cmd, id);
    case VIRTIO_GPU_CMD_SUBMIT_3D:
        return submit_cut_short(vg, cmd);
    case VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE:
        if (find(vg, id))
            drop_context(find(vg, id), cmd->cmd_hdr.ctx_id);
        return false;
    default:
        return false;
    }
}

bool vram_gl_parent_has_blob(VramGPU *vg, uint32_t id)
{
    const struct virtio_gpu_simple_resource *res;

    if (!vg->gl)
        return false;
    QTAILQ_FOREACH(res, &VIRTIO_GPU(vg)->reslist, next)
    {
        if (res->resource_id == id)
            return res->blob_size != 0;
    }
    return false;
}

/* --- what became of it */

/* A quoted string: what stands in it may come from a library. */
static void append_string(GString *json, const char *text)
{
    g_string_append_c(json, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            g_string_append_printf(json, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            g_string_append_printf(json, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            g_string_append_c(json, *text);
    }
    g_string_append_c(json, '"');
}

char *vram_gl_stats_json(VramGPU *vg)
{
    GString *json = g_string_new(NULL);
    GHashTableIter iter;
    gpointer id, blob;
    const char *comma = "";

    g_string_append_printf(json, "{\"imports\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"released\":%" PRIu64 ",",
                           vg->gl->imports, vg->gl->failed, vg->gl->released);
    g_string_append(json, "\"why\":");
    append_string(json, vg->gl->why ? vg->gl->why : "");
    g_string_append(json, ",\"imported\":[");
    g_hash_table_iter_init(&iter, vg->gl->by_id);
    while (g_hash_table_iter_next(&iter, &id, &blob)) {
        if (!((GLBlob *)blob)->imported)
            continue;
        g_string_append_printf(json, "%s%u", comma, GPOINTER_TO_UINT(id));
        comma = ",";
    }
    g_string_append(json, "]}");
    return g_string_free(json, FALSE);
}
