/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parent's part of a migration stream, and what is wrong with it.
 *
 * QEMU 10.0 asks for each of its scanouts whether the stream has the framebuffer's fields, and finds the
 * answer through a pointer that is right for the first scanout alone (hw/display/virtio-gpu.c,
 * scanout_vmstate_after_v2()). For the second it looks at the low byte of a pointer into the list of
 * resources: beside a 2D resource one of ten migrations wrote one thing and read another. So the parent is
 * made to save and load its first scanout only, and all of them travel once more in our own part.
 */
#include "hw/qemu/migrate.h"

#include "migration/vmstate.h"

#define SCANOUTS_VERSION 1

/* The parent's only field with code of its own. */
#define PARENT_FIELD "virtio-gpu"

static const VMStateInfo *parent_info;

static int put_first_scanout(QEMUFile *f, void *opaque, size_t size, const VMStateField *field,
                             JSONWriter *vmdesc)
{
    struct virtio_gpu_base_conf *conf = &VIRTIO_GPU_BASE(opaque)->conf;
    uint32_t outputs = conf->max_outputs;
    int ret;

    conf->max_outputs = 1;
    ret = parent_info->put(f, opaque, size, field, vmdesc);
    conf->max_outputs = outputs;
    return ret;
}

static int get_first_scanout(QEMUFile *f, void *opaque, size_t size, const VMStateField *field)
{
    struct virtio_gpu_base_conf *conf = &VIRTIO_GPU_BASE(opaque)->conf;
    uint32_t outputs = conf->max_outputs;
    int ret;

    conf->max_outputs = 1;
    ret = parent_info->get(f, opaque, size, field);
    conf->max_outputs = outputs;
    return ret;
}

static const VMStateInfo first_scanout_info = {
    .name = PARENT_FIELD, .get = get_first_scanout, .put = put_first_scanout};

const VMStateField *vram_migration_parent_fields(const VMStateDescription *parent)
{
    GArray *fields = g_array_new(FALSE, FALSE, sizeof(VMStateField));
    const VMStateField *field = parent->fields;

    do {
        VMStateField copy = *field;

        if (copy.info && !g_strcmp0(copy.info->name, PARENT_FIELD)) {
            parent_info = copy.info;
            copy.info = &first_scanout_info;
        }
        g_array_append_val(fields, copy);
    } while ((field++)->flags != VMS_END);
    return (const VMStateField *)g_array_free(fields, FALSE);
}

#ifdef VRAMLINK_FRAMEBUFFER_BYTES_PP
#define VMSTATE_BYTES_PP VMSTATE_UINT32(fb.bytes_pp, struct virtio_gpu_scanout)
#else
#define VMSTATE_BYTES_PP VMSTATE_UNUSED(sizeof(uint32_t))
#endif

/* Their order is the stream's. */
static const VMStateDescription vmstate_scanout = {
    .name = "virtio-gpu/vramlink-scanout",
    .version_id = SCANOUTS_VERSION,
    .minimum_version_id = SCANOUTS_VERSION,
    .fields =
        (const VMStateField[]){VMSTATE_UINT32(resource_id, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(width, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(height, struct virtio_gpu_scanout),
                               VMSTATE_INT32(x, struct virtio_gpu_scanout),
                               VMSTATE_INT32(y, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(cursor.resource_id, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(cursor.hot_x, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(cursor.hot_y, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(cursor.pos.x, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(cursor.pos.y, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(fb.format, struct virtio_gpu_scanout), VMSTATE_BYTES_PP,
                               VMSTATE_UINT32(fb.width, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(fb.height, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(fb.stride, struct virtio_gpu_scanout),
                               VMSTATE_UINT32(fb.offset, struct virtio_gpu_scanout), VMSTATE_END_OF_LIST()},
};

const VMStateDescription vram_vmstate_scanouts = {
    .name = "virtio-gpu/vramlink-scanouts",
    .version_id = SCANOUTS_VERSION,
    .minimum_version_id = SCANOUTS_VERSION,
    .fields = (const VMStateField[]){VMSTATE_UINT32_EQUAL(parent_obj.parent_obj.conf.max_outputs, VramGPU,
                                                          "both sides need the same max_outputs"),
                                     VMSTATE_STRUCT_VARRAY_UINT32(parent_obj.parent_obj.scanout, VramGPU,
                                                                  parent_obj.parent_obj.conf.max_outputs, 0,
                                                                  vmstate_scanout, struct virtio_gpu_scanout),
                                     VMSTATE_END_OF_LIST()},
};
