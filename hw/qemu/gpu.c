/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The type virtio-gpu-vram-device: QEMU's virtio-gpu-device with the blob commands taken over.
 */
#include "hw/qemu/command-copy.h"
#include "hw/qemu/console.h"
#include "hw/qemu/copying.h"
#include "hw/qemu/deferred.h"
#include "hw/qemu/gl.h"
#include "hw/qemu/later.h"
#include "hw/qemu/lose.h"
#include "hw/qemu/main-loop.h"
#include "hw/qemu/migrate.h"
#include "hw/qemu/parent.h"
#include "hw/qemu/regions.h"
#include "hw/qemu/stalled.h"
#include "hw/qemu/tidy.h"
#include "hw/qemu/trace.h"
#include "hw/qemu/watch.h"

#include "hw/boards.h"
#include "hw/qdev-properties.h"
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

bool vram_is_gone(const VramGPU *vg)
{
    return !vg->ctrl_later;
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

static bool release_consumers(void *opaque, uint32_t id, bool revoked)
{
    vram_scanout_release(opaque, id, revoked);
    vram_gl_release(opaque, id);
    return !vram_deferred_pending(opaque);
}

static const struct vrl_ops table_ops = {
    .translate = vram_regions_translate,
    .release_consumers = release_consumers,
    .cut_off = vram_cut_off,
    .scanouts = vram_scanout_mask,
    .note = vram_trace_note,
    .log = log_sentence,
};

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

/* SUBMIT_3D carries as much as the guest likes. */
#define MAX_3D_COMMAND_BYTES (16u << 20)

static bool is_3d(VramGPU *vg)
{
    return object_dynamic_cast(OBJECT(vg), TYPE_VIRTIO_GPU_GL) != NULL;
}

static bool make_table(VramGPU *vg, Error **errp)
{
    const struct vrl_limits limits = {.let_go_ms = vg->let_go_ms,
                                      .max_bytes_pinned = current_machine->maxram_size};

    if (vg->let_go_ms < 1 || vg->let_go_ms > MAX_LET_GO_MS) {
        error_setg(errp, "vramlink: let-go-ms is %u; it must be from 1 to %d", vg->let_go_ms, MAX_LET_GO_MS);
        return false;
    }
    vg->table = vrl_table_new(&table_ops, vg, &limits);
    if (!vg->table)
        error_setg(errp, "vramlink: no memory for the blob table");
    return vg->table;
}

static bool make_parts(VramGPU *vg, Error **errp)
{
    size_t longest;

    if (!make_table(vg, errp) || !open_prime_node(vg, errp) || !parse_layouts(vg, errp))
        return false;
    longest = sizeof(struct virtio_gpu_resource_create_blob) +
              (size_t)vrl_table_max_entries(vg->table) * sizeof(struct virtio_gpu_mem_entry);
    return vram_copy_init(vg, is_3d(vg) ? MAX_3D_COMMAND_BYTES : longest, errp);
}

static void ctrl_bh(void *opaque)
{
    VramGPU *vg = opaque;

    vram_handle_ctrl(VIRTIO_DEVICE(vg), VIRTIO_GPU(vg)->ctrl_vq);
}

static void cursor_bh(void *opaque)
{
    vram_handle_cursor(opaque);
}

static void replace_bh(QEMUBH **bh, QEMUBH *ours)
{
    qemu_bh_delete(*bh);
    *bh = ours;
}

static void run_state_changed(void *opaque, bool running, RunState state)
{
    vram_queue_run_state(opaque, running);
}

/* What this host does not let us know. The address space comes with the bus, after realize(). */
static void look_around(VramGPU *vg)
{
    if (vram_is_gone(vg))
        return;
    if (!vrl_can_count_references())
        vrl_table_warn(
            vg->table,
            "/proc/self/fdinfo cannot be read (AppArmor?): who holds a buffer is not known, displays are "
            "asked instead when memory goes away");
    vram_iommu_look(vg->iommu);
}

static void start(VramGPU *vg)
{
    VirtIOGPU *g = VIRTIO_GPU(vg);

    replace_bh(&g->ctrl_bh, vram_bh_new(vg, ctrl_bh, true));
    replace_bh(&g->cursor_bh, vram_bh_new(vg, cursor_bh, true));
    vg->copying_bh = vram_bh_new(vg, vram_copying_go_on, true);
    vg->ctrl_later = vram_later_new(&g->ctrl_bh);
    vg->cursor_later = vram_later_new(&g->cursor_bh);
    vg->copying_later = vram_later_new(&vg->copying_bh);
    vg->flush_timer = timer_new_ms(QEMU_CLOCK_REALTIME, vram_flush_timeout, vg);
    vg->deferred = vram_deferred_new(vg);
    vg->stalled = vram_stalled_new(vg);
    vg->tidy = vram_tidy_new(vg);
    vram_readers_new(vg);
    vg->regions = vram_regions_new(vg);
    vg->iommu = vram_iommu_new(vg);
    vg->run_handler = qemu_add_vm_change_state_handler(run_state_changed, vg);
    vram_lose_add(vg);
    vram_watch_machine_resets();
    vram_turn_watch();
    vram_console_hook(vg);
    if (is_3d(vg))
        vg->gl = vram_gl_blobs_new();
    vram_bh_once_for(vg, look_around);
}

static void realize(DeviceState *dev, Error **errp)
{
    ERRP_GUARD();
    VramGPU *vg = VRAM_GPU(dev);

    if (!make_parts(vg, errp)) {
        free_table(vg);
        return;
    }
    /* The parent refuses blobs on a host without udmabuf; we do not need it. Features are read later. */
    set_blob(vg, false);
    VIRTIO_DEVICE_CLASS(vram_parent_class(vg))->realize(dev, errp);
    set_blob(vg, true);
    if (*errp) {
        vram_copy_finish(vg);
        free_table(vg);
        return;
    }
    start(vg);
}

/* On a vCPU's thread displays of this process are left to the main loop, and with them the consoles and the
 * table. */
static void end_displays(VramGPU *vg)
{
    if (vram_on_main_loop()) {
        vram_deferred_run(vg);
        if (!vg->gl) /* the 3D device cannot be unplugged, as QEMU's own; its GL contexts are the consoles' */
            vram_console_close(vg);
        g_clear_pointer(&vg->deferred, vram_deferred_free);
        g_clear_pointer(&vg->table, vrl_table_free);
        return;
    }
    vram_console_close(vg);
    vram_defer_end(vg);
}

static void unrealize(DeviceState *dev)
{
    VramGPU *vg = VRAM_GPU(dev);

    vram_reset(VIRTIO_DEVICE(dev)); /* the parent forgets 2D resources on unplug */
    vrl_table_end_lingering(vg->table);
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
        g_clear_pointer(&vg->scanout[i].surface_charge, vrl_charge_free);
    vram_lose_remove(vg);
    qemu_del_vm_change_state_handler(vg->run_handler);
    g_clear_pointer(&vg->iommu, vram_iommu_free);
    g_clear_pointer(&vg->regions, vram_regions_free);
    g_clear_pointer(&vg->flush_timer, timer_free);
    g_clear_pointer(&vg->stalled, vram_stalled_free);
    g_clear_pointer(&vg->tidy, vram_tidy_free);
    g_clear_pointer(&vg->ctrl_later, vram_later_free);
    g_clear_pointer(&vg->cursor_later, vram_later_free);
    g_clear_pointer(&vg->copying_later, vram_later_free);
    g_clear_pointer(&vg->copying_bh, qemu_bh_delete);
    vram_readers_free(vg);
    end_displays(vg);
    g_clear_pointer(&vg->gl, vram_gl_blobs_free);
    g_clear_pointer(&vg->layouts, vrl_layouts_free);
    /* The copy goes with the device's memory: a command that is being answered may name it. */
    VIRTIO_DEVICE_CLASS(vram_parent_class(vg))->unrealize(dev);
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
}

void vram_gpu_class_init(ObjectClass *klass)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_CLASS(klass);
    VirtIOGPUClass *vgc = VIRTIO_GPU_CLASS(klass);

    vdc->realize = realize;
    vdc->unrealize = unrealize;
    vdc->reset = vram_reset;
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
    vram_add_stats_properties(klass);
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
