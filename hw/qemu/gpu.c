/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The type virtio-gpu-vram-device: QEMU's virtio-gpu-device with the blob commands taken over.
 */
#include "hw/qemu/gl.h"
#include "hw/qemu/trace.h"

#include "block/aio.h"
#include "hw/qdev-properties.h"
#include "hw/qemu/lose.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"

/* How long the VM may stand still for a frame that a moving buffer leaves on the screen. */
#define STILL_MS 50
/* And for displays in other processes to flip away from memory that the guest wants back. */
#define FLIP_AWAY_MS 50
/* And for whoever holds memory that goes away. */
#define MAX_LET_GO_MS 60000

/* What the user called the device: the id of the function around it. */
const char *vram_user_id(VramGPU *vg)
{
    const char *id = vg->parent_obj.parent_obj.parent_obj.parent_obj.id;
    Object *wrapper = OBJECT(vg)->parent;

    if (!id && wrapper && object_dynamic_cast(wrapper, TYPE_DEVICE))
        id = DEVICE(wrapper)->id;
    return id ? id : TYPE_VRAM_GPU;
}

static void log_sentence(void *opaque, enum vrl_log_level level, const char *sentence)
{
    const char *id = vram_user_id(opaque);

    if (level == VRL_LOG_INFO)
        info_report("vramlink: %s: %s", id, sentence);
    else
        warn_report("vramlink: %s: %s%s", id, level == VRL_LOG_GUEST ? "guest: " : "", sentence);
}

void vram_log_guest(VramGPU *vg, const char *format, ...)
{
    g_autofree char *sentence = NULL;
    va_list args;

    va_start(args, format);
    sentence = g_strdup_vprintf(format, args);
    va_end(args);
    vrl_table_log(vg->table, VRL_LOG_GUEST, sentence);
}

static void release_consumers(void *opaque, uint32_t id, bool revoked)
{
    vram_scanout_release(opaque, id, revoked);
    vram_gl_release(opaque, id);
}

static const struct vrl_ops table_ops = {
    .translate = vram_regions_translate,
    .release_consumers = release_consumers,
    .cut_off = vram_cut_off,
    .scanouts = vram_scanout_mask,
    .note = vram_trace_note,
    .log = log_sentence,
};

static void drop_all(VramGPU *vg)
{
    vram_queue_reset(vg);
    vram_readers_forget(vg);
    vram_scanout_reset(vg);
    vrl_table_reset(vg->table);
    vram_gl_forget(vg, 0);
    vram_migration_forget(vg);
    vram_migration_update(vg);
}

/* Runs on the main loop, which displays need; the parent's reset waits for it when a vCPU resets the device.
 */
static void reset_bh(void *opaque)
{
    VramGPU *vg = opaque;

    drop_all(vg);
    aio_bh_call(vg->parent_reset_bh);
}

static void set_blob(VramGPU *vg, bool on)
{
    struct virtio_gpu_base_conf *conf = &vg->parent_obj.parent_obj.conf;

    if (on)
        conf->flags |= 1u << VIRTIO_GPU_FLAG_BLOB_ENABLED;
    else
        conf->flags &= ~(1u << VIRTIO_GPU_FLAG_BLOB_ENABLED);
}

bool vram_checks_imports(const VramGPU *vg)
{
    return strcmp(vg->prime_node, "off") != 0;
}

static bool open_prime_node(VramGPU *vg, Error **errp)
{
    char *why = NULL;

    if (!strcmp(vg->prime_node, "auto") || !strcmp(vg->prime_node, "off"))
        return true;
    if (vrl_table_probe_with(vg->table, vg->prime_node, &why))
        return true;
    error_setg(errp, "vramlink: prime-node: %s", why ? why : "no memory");
    error_append_hint(errp, "prime-node is auto, off, or a DRM device such as /dev/dri/renderD128.\n");
    free(why);
    return false;
}

static bool parse_layouts(VramGPU *vg, Error **errp)
{
    char *why = NULL;

    vg->layouts = vrl_layouts_parse(vg->layouts_text, &why);
    if (vg->layouts)
        return true;
    error_setg(errp, "vramlink: layouts: %s", why ? why : "no memory");
    error_append_hint(errp, "layouts is a list such as NV12,P010,XR24:0x0100000000000002.\n");
    free(why);
    return false;
}

/* After a failure, and when the device goes. */
static void free_table(VramGPU *vg)
{
    g_clear_pointer(&vg->table, vrl_table_free);
    g_clear_pointer(&vg->layouts, vrl_layouts_free);
}

static bool make_table(VramGPU *vg, Error **errp)
{
    const struct vrl_limits limits = {.let_go_ms = vg->let_go_ms};

    if (vg->let_go_ms < 1 || vg->let_go_ms > MAX_LET_GO_MS) {
        error_setg(errp, "vramlink: let-go-ms is %u; it must be from 1 to %d", vg->let_go_ms, MAX_LET_GO_MS);
        return false;
    }
    vg->table = vrl_table_new(&table_ops, vg, &limits);
    if (!vg->table)
        error_setg(errp, "vramlink: no memory for the blob table");
    return vg->table;
}

static void realize(DeviceState *dev, Error **errp)
{
    ERRP_GUARD();
    VramGPU *vg = VRAM_GPU(dev);
    VirtIOGPU *g = VIRTIO_GPU(dev);

    if (!make_table(vg, errp))
        return;
    if (!open_prime_node(vg, errp) || !parse_layouts(vg, errp)) {
        free_table(vg);
        return;
    }
    /* The parent refuses blobs on a host without udmabuf; we do not need it. Features are read later. */
    set_blob(vg, false);
    VIRTIO_DEVICE_CLASS(vram_parent_class(vg))->realize(dev, errp);
    set_blob(vg, true);
    if (*errp) {
        free_table(vg);
        return;
    }
    vg->parent_reset_bh = g->reset_bh;
    g->reset_bh = qemu_bh_new(reset_bh, vg);
    vg->flush_timer = timer_new_ms(QEMU_CLOCK_REALTIME, vram_flush_timeout, vg);
    vram_readers_new(vg);
    vg->regions = vram_regions_new(vg);
    vg->iommu = vram_iommu_new(vg);
    vram_lose_add(vg);
    vram_watch_machine_resets();
    vram_turn_watch();
    vram_console_hook(vg);
    if (object_dynamic_cast(OBJECT(dev), TYPE_VIRTIO_GPU_GL))
        vg->gl = vram_gl_blobs_new();
}

static void unrealize(DeviceState *dev)
{
    VramGPU *vg = VRAM_GPU(dev);

    vram_lose_remove(vg);
    drop_all(vg);
    aio_bh_call(vg->parent_reset_bh); /* 2D resources; the parent forgets them on unplug */
    if (!vg->gl) /* the 3D device cannot be unplugged, as QEMU's own; its GL contexts are the consoles' */
        vram_console_close(vg);
    g_clear_pointer(&vg->gl, vram_gl_blobs_free);
    g_clear_pointer(&vg->iommu, vram_iommu_free);
    g_clear_pointer(&vg->regions, vram_regions_free);
    g_clear_pointer(&vg->flush_timer, timer_free);
    vram_readers_free(vg);
    free_table(vg);
    g_clear_pointer(&vg->parent_reset_bh, qemu_bh_delete);
    VIRTIO_DEVICE_CLASS(vram_parent_class(vg))->unrealize(dev);
}

static char *get_stats(Object *obj, Error **errp)
{
    ObjectClass *klass = object_get_class(obj);
    VramGPU *vg;
    char *json, *text;

    if (object_class_dynamic_cast(klass, TYPE_VRAM_ANY_GPU))
        vg = VRAM_GPU(obj);
    else
        vg = VRAM_GPU(object_resolve_path_component(obj, "virtio-backend"));
    if (!vg->table)
        return g_strdup("{}");
    json = vrl_table_stats_json(vg->table);
    if (!json) {
        error_setg(errp, "no memory for the statistics");
        return NULL;
    }
    if (vg->gl) {
        g_autofree char *gl = vram_gl_stats_json(vg);

        text = g_strdup_printf("%.*s,\"virgl\":%s}", (int)(strrchr(json, '}') - json), json, gl);
    } else {
        text = g_strdup(json);
    }
    free(json);
    return text;
}

void vram_add_stats_property(ObjectClass *klass)
{
    object_class_property_add_str(klass, VRAM_STATS_PROPERTY, get_stats, NULL);
    object_class_property_set_description(klass, VRAM_STATS_PROPERTY,
                                          "what vramlink does for each blob, and why, as JSON");
}

static const Property properties[] = {
    DEFINE_PROP_STRING("prime-node", VramGPU, prime_node),
    DEFINE_PROP_STRING("layouts", VramGPU, layouts_text),
    DEFINE_PROP_UINT32("flip-away-ms", VramGPU, flip_away_ms, FLIP_AWAY_MS),
    DEFINE_PROP_UINT32("let-go-ms", VramGPU, let_go_ms, VRL_DEFAULT_LET_GO_MS),
    DEFINE_PROP_UINT32("still-ms", VramGPU, still_ms, STILL_MS),
};

void vram_gpu_instance_init(Object *obj)
{
    VramGPU *vg = VRAM_GPU(obj);

    vg->prime_node = g_strdup("auto");
    vg->layouts_text = g_strdup("");
    QTAILQ_INIT(&vg->held);
    QTAILQ_INIT(&vg->waiting);
}

void vram_gpu_class_init(ObjectClass *klass)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_CLASS(klass);
    VirtIOGPUClass *vgc = VIRTIO_GPU_CLASS(klass);

    vdc->realize = realize;
    vdc->unrealize = unrealize;
    vgc->handle_ctrl = vram_handle_ctrl;
    vgc->process_cmd = vram_process_cmd;
    vgc->update_cursor_data = vram_update_cursor_data;
    vgc->parent.gl_flushed = vram_gl_flushed;
    device_class_set_props(dc, properties);
    object_class_property_set_description(
        klass, "prime-node",
        "GPU that must be able to import a blob for it to be shared: auto (the "
        "display's own, where QEMU imports), off, or a DRM device's path");
    object_class_property_set_description(
        klass, "layouts",
        "formats beyond virtio-gpu's, and modifiers, that the guest's buffers have: FOURCC or "
        "FOURCC:MODIFIER, comma-separated");
    object_class_property_set_description(
        klass, "still-ms",
        "milliseconds that copying a frame may take when the guest moves its buffer; 0: never");
    object_class_property_set_description(
        klass, "flip-away-ms",
        "milliseconds that displays have to flip away from a buffer that the guest takes back");
    object_class_property_set_description(klass, "let-go-ms",
                                          "milliseconds that displays have to let go of buffers whose memory "
                                          "goes away, before they are cut off");
    dc->desc = "virtio-gpu whose blobs may lie in a passthrough GPU's VRAM";
    vram_add_stats_property(klass);
    vram_add_show_mapped_property(klass);
}

static void class_init(ObjectClass *klass, VRAMLINK_CLASS_DATA *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);

    vram_gpu_class_init(klass);
    dc->hotpluggable = true; /* unlike the parent, which keeps its consoles: see vram_console_close() */
    dc->vmsd = vram_migration_vmstate();
}

void vram_gpu_register(void)
{
    static const TypeInfo any = {.name = TYPE_VRAM_ANY_GPU, .parent = TYPE_INTERFACE};
    static VRAMLINK_INTERFACE interfaces[] = {{TYPE_VRAM_ANY_GPU}, {}};
    static const TypeInfo info = {
        .name = TYPE_VRAM_GPU,
        .parent = TYPE_VIRTIO_GPU,
        .instance_size = sizeof(VramGPU),
        .instance_init = vram_gpu_instance_init,
        .class_init = class_init,
        .interfaces = interfaces,
    };

    type_register_static(&any);
    type_register_static(&info);
}
