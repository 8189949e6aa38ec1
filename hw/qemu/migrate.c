/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Migration and snapshots.
 *
 * The parent's state says nothing of our blobs; they travel behind it as the guest's own words (id, size,
 * guest addresses), and the other host makes its own plan for them. What lies in a passthrough device's
 * memory cannot travel: while there is such a blob a blocker names the reason, and it goes when the blob
 * goes.
 */
#include "hw/qemu/migrate.h"

#include "migration/blocker.h"
#include "migration/qemu-file-types.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "system/runstate.h"

#define BLOBS_VERSION 3

/* A blob that came with the stream and is not in the table yet. */
typedef struct Arrival {
    struct vrl_saved_blob blob;
    struct vrl_entry *entries;
} Arrival;

static void arrival_free(gpointer opaque)
{
    Arrival *arrival = opaque;

    g_free(arrival->entries);
    g_free(arrival);
}

void vram_migration_update(VramGPU *vg)
{
    Error *err = NULL;
    uint32_t blobs = vrl_table_vfio_blobs(vg->table);

    if (!blobs) {
        migrate_del_blocker(&vg->migration_blocker);
        return;
    }
    if (vg->migration_blocker)
        return;
    error_setg(&vg->migration_blocker,
               "vramlink: %s has blobs in a passthrough device's memory, which stays behind",
               vram_user_id(vg));
    /* Refused while a migration runs: then saving fails, see pre_save(). */
    if (migrate_add_blocker_internal(&vg->migration_blocker, &err) < 0)
        error_free(err);
}

/* --- saving */

/* The parent looks for what its scanouts show among its own resources: it must not see ours. */
static int pre_save(void *opaque)
{
    VramGPU *vg = opaque;
    uint32_t blobs = vrl_table_vfio_blobs(vg->table);

    if (blobs) {
        error_report("vramlink: %s: not saved: %u blobs lie in a passthrough device's memory",
                     vram_user_id(vg), blobs);
        return -EBUSY;
    }
    vram_scanout_hide(vg, true);
    return 0;
}

static int post_save(void *opaque)
{
    vram_scanout_hide(opaque, false);
    return 0;
}

static void put_blob(void *opaque, const struct vrl_saved_blob *blob)
{
    QEMUFile *f = opaque;

    qemu_put_be32(f, blob->id);
    qemu_put_be64(f, blob->size);
    qemu_put_byte(f, blob->revoked);
    qemu_put_be32(f, blob->nr_entries);
    for (uint32_t i = 0; i < blob->nr_entries; i++) {
        qemu_put_be64(f, blob->entries[i].gpa);
        qemu_put_be32(f, blob->entries[i].length);
    }
}

static void put_scanout(QEMUFile *f, const VramScanout *s)
{
    qemu_put_be32(f, s->id);
    qemu_put_be32(f, s->guest_format);
    qemu_put_be32(f, s->x);
    qemu_put_be32(f, s->y);
    qemu_put_be32(f, s->fb.width);
    qemu_put_be32(f, s->fb.height);
    qemu_put_be32(f, s->fb.stride);
    qemu_put_be64(f, s->fb.start);
    for (size_t i = 0; i < ARRAY_SIZE(s->fb.more); i++) {
        qemu_put_be32(f, s->fb.more[i].stride);
        qemu_put_be64(f, s->fb.more[i].start);
    }
}

static int put(QEMUFile *f, void *opaque, size_t size, const VMStateField *field, JSONWriter *vmdesc)
{
    VramGPU *vg = opaque;

    vrl_table_save(vg->table, put_blob, f);
    qemu_put_be32(f, 0); /* no more blobs */
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
        put_scanout(f, &vg->scanout[i]);
    return 0;
}

/* --- loading */

static Arrival *get_blob(QEMUFile *f, uint32_t id)
{
    Arrival *arrival = g_new0(Arrival, 1);

    arrival->blob.id = id;
    arrival->blob.size = qemu_get_be64(f);
    arrival->blob.revoked = qemu_get_byte(f);
    arrival->blob.nr_entries = qemu_get_be32(f);
    if (arrival->blob.nr_entries > VRL_DEFAULT_MAX_ENTRIES) {
        error_report("vramlink: blob %u arrived with %u entries, the limit is %u", id,
                     arrival->blob.nr_entries, VRL_DEFAULT_MAX_ENTRIES);
        arrival_free(arrival);
        return NULL;
    }
    arrival->entries = g_new0(struct vrl_entry, arrival->blob.nr_entries);
    arrival->blob.entries = arrival->entries;
    for (uint32_t i = 0; i < arrival->blob.nr_entries; i++) {
        arrival->entries[i].gpa = qemu_get_be64(f);
        arrival->entries[i].length = qemu_get_be32(f);
    }
    return arrival;
}

static void get_scanout(QEMUFile *f, VramScanout *s)
{
    s->id = qemu_get_be32(f);
    s->guest_format = qemu_get_be32(f);
    s->x = qemu_get_be32(f);
    s->y = qemu_get_be32(f);
    s->fb.width = qemu_get_be32(f);
    s->fb.height = qemu_get_be32(f);
    s->fb.stride = qemu_get_be32(f);
    s->fb.start = qemu_get_be64(f);
    for (size_t i = 0; i < ARRAY_SIZE(s->fb.more); i++) {
        s->fb.more[i].stride = qemu_get_be32(f);
        s->fb.more[i].start = qemu_get_be64(f);
    }
}

static int get(QEMUFile *f, void *opaque, size_t size, const VMStateField *field)
{
    VramGPU *vg = opaque;
    uint32_t id;

    vram_migration_forget(vg);
    vg->arrivals = g_ptr_array_new_with_free_func(arrival_free);
    while ((id = qemu_get_be32(f))) {
        Arrival *arrival = vg->arrivals->len < VRL_DEFAULT_MAX_BLOBS ? get_blob(f, id) : NULL;

        if (!arrival)
            return -EINVAL;
        g_ptr_array_add(vg->arrivals, arrival);
    }
    vg->arriving_scanouts = g_new0(VramScanout, VIRTIO_GPU_MAX_SCANOUTS);
    for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
        get_scanout(f, &vg->arriving_scanouts[i]);
    return 0;
}

void vram_migration_forget(VramGPU *vg)
{
    g_clear_pointer(&vg->arrivals, g_ptr_array_unref);
    g_clear_pointer(&vg->arriving_scanouts, g_free);
    g_clear_pointer(&vg->arrival_handler, qemu_del_vm_change_state_handler);
}

/* Takes in the blobs whose memory is there, and shows what scanouts are bound to them. True when none is
 * left. */
static bool take_in(VramGPU *vg)
{
    for (guint i = vg->arrivals->len; i-- > 0;) {
        Arrival *arrival = g_ptr_array_index(vg->arrivals, i);
        uint32_t id = arrival->blob.id;

        if (vrl_table_restore(vg->table, &arrival->blob) != VRL_OK)
            continue;
        g_ptr_array_remove_index_fast(vg->arrivals, i);
        for (uint32_t k = 0; k < VIRTIO_GPU_MAX_SCANOUTS; k++) {
            if (vg->arriving_scanouts[k].id == id)
                vram_scanout_arrive(vg, k, &vg->arriving_scanouts[k]);
        }
    }
    for (uint32_t k = 0; k < vg->parent_obj.parent_obj.conf.max_outputs; k++)
        vram_cursor_restore(vg, k);
    return vg->arrivals->len == 0;
}

/* A blob in another device's memory can be translated only once that device has been loaded, too. */
static void vm_runs(void *opaque, bool running, RunState state)
{
    VramGPU *vg = opaque;

    if (!running)
        return;
    if (!take_in(vg))
        warn_report("vramlink: %s: %u blobs did not arrive: their memory is not there", vram_user_id(vg),
                    vg->arrivals->len);
    vram_migration_forget(vg);
}

static const VMStateDescription *parent_vmstate(void)
{
    return DEVICE_CLASS(object_class_by_name(TYPE_VIRTIO_GPU))->vmsd;
}

static int post_load(void *opaque, int version_id)
{
    const VMStateDescription *parent = parent_vmstate();
    VramGPU *vg = opaque;
    int ret = parent->post_load ? parent->post_load(VIRTIO_GPU(vg), version_id) : 0;

    if (ret < 0 || !vg->arrivals)
        return ret;
    if (take_in(vg))
        vram_migration_forget(vg);
    else
        vg->arrival_handler = qemu_add_vm_change_state_handler(vm_runs, vg);
    return 0;
}

static const VMStateInfo blobs_info = {.name = "vramlink-blobs", .get = get, .put = put};

static const VMStateDescription vmstate_blobs = {
    .name = "virtio-gpu/vramlink",
    .version_id = BLOBS_VERSION,
    .minimum_version_id = BLOBS_VERSION,
    .fields = (const VMStateField[]){{.name = "scanouts",
                                      .vmsd = &vram_vmstate_scanouts,
                                      .size = sizeof(VramGPU),
                                      .flags = VMS_STRUCT},
                                     {.name = "blobs", .info = &blobs_info, .flags = VMS_SINGLE},
                                     VMSTATE_END_OF_LIST()},
};

const VMStateDescription *vram_migration_vmstate(void)
{
    static VMStateDescription vmstate;
    const VMStateDescription *parent = parent_vmstate();
    const VMStateDescription *const *subsection = parent->subsections;
    GPtrArray *subsections = g_ptr_array_new();

    while (subsection && *subsection)
        g_ptr_array_add(subsections, (gpointer)*subsection++);
    g_ptr_array_add(subsections, (gpointer)&vmstate_blobs);
    g_ptr_array_add(subsections, NULL);
    vmstate = *parent;
    vmstate.fields = vram_migration_parent_fields(parent);
    vmstate.pre_save = pre_save;
    vmstate.post_save = post_save;
    vmstate.post_load = post_load;
    vmstate.subsections = (const VMStateDescription *const *)g_ptr_array_free(subsections, FALSE);
    return &vmstate;
}
