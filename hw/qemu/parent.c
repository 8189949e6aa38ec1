/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU loads modules with local symbols: what hw-display-virtio-gpu.so defines cannot be linked to. But one
 * of its class methods is known from the class, the loader knows which object that lies in, and that object
 * can be asked for its other symbols.
 */
#include "hw/qemu/parent.h"

#include <dlfcn.h>

#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/module.h"

static void (*response_nodata)(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd,
                               enum virtio_gpu_ctrl_type type);

VirtIOGPUClass *vram_parent_class(VramGPU *vg)
{
    return VIRTIO_GPU_CLASS(object_class_get_parent(object_get_class(OBJECT(vg))));
}

bool vram_have_type(const char *type)
{
    Error *err = NULL;

    if (module_load_qom(type, &err) < 0)
        error_free(err);
    return object_class_by_name(type) != NULL;
}

void *vram_module_symbol(void *method, const char *name)
{
    Dl_info info;
    void *object, *symbol;

    if (!dladdr(method, &info) || !info.dli_fname)
        return NULL;
    object = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    if (!object)
        return NULL;
    symbol = dlsym(object, name);
    dlclose(object);
    return symbol;
}

bool vram_parent_lookup(void)
{
    static const char *const types[] = {TYPE_VIRTIO_GPU, "virtio-gpu-pci-base"};
    VirtIOGPUClass *klass;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        Error *err = NULL;

        if (module_load_qom(types[i], &err) < 0) {
            error_prepend(&err, "vramlink: QEMU's module for %s does not load: ", types[i]);
            error_report_err(err);
            return false;
        }
        if (!object_class_by_name(types[i])) {
            error_report("vramlink: this QEMU has no device type %s; is the package with its display modules "
                         "(qemu-system-modules-opengl) installed?",
                         types[i]);
            return false;
        }
    }
    klass = VIRTIO_GPU_CLASS(object_class_by_name(TYPE_VIRTIO_GPU));
    *(void **)&response_nodata =
        vram_module_symbol(*(void **)&klass->process_cmd, "virtio_gpu_ctrl_response_nodata");
    if (!response_nodata)
        error_report("vramlink: QEMU's virtio-gpu module does not export virtio_gpu_ctrl_response_nodata");
    return response_nodata != NULL;
}

void vram_parent_response_nodata(VirtIOGPU *g, struct virtio_gpu_ctrl_command *cmd, uint32_t type)
{
    response_nodata(g, cmd, type);
}
