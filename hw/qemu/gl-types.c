/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-gpu-gl-vram-device, and its PCI functions virtio-gpu-gl-vram-pci and virtio-vga-gl-vram: QEMU's
 * virtio-gpu-gl with the guest's blobs taken over, as in the plain device.
 *
 * QEMU permits one 3D device in a machine, and it cannot be unplugged or migrated; so it is with ours.
 */
#include "hw/qemu/gl.h"
#include "hw/qemu/parent.h"

#include "hw/display/virtio-vga.h"
#include "hw/virtio/virtio-gpu-pci.h"
#include "qemu/error-report.h"

static VramVirglCalls calls;

const VramVirglCalls *vram_virgl(void)
{
    return &calls;
}

static bool look_up(void)
{
    VirtIOGPUClass *klass = VIRTIO_GPU_CLASS(object_class_by_name(TYPE_VIRTIO_GPU_GL));
    void *method = *(void **)&klass->process_cmd;
    const struct {
        void *to;
        const char *name;
    } wanted[] = {
        {&calls.import_blob, "virgl_renderer_resource_import_blob"},
        {&calls.unref, "virgl_renderer_resource_unref"},
        {&calls.attach_to_context, "virgl_renderer_ctx_attach_resource"},
        {&calls.create_fence, "virgl_renderer_create_fence"},
        {&calls.force_context_0, "virgl_renderer_force_ctx_0"},
        {&calls.init, "virtio_gpu_virgl_init"},
        {&calls.reset, "virtio_gpu_virgl_reset"},
        {&calls.poll_fences, "virtio_gpu_virgl_fence_poll"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        void *symbol = vram_module_symbol(method, wanted[i].name);

        if (!symbol) {
            info_report("vramlink: QEMU's virtio-gpu-gl module and its virglrenderer have no %s: no %s",
                        wanted[i].name, TYPE_VRAM_GPU_GL_PCI);
            return false;
        }
        memcpy(wanted[i].to, &symbol, sizeof(symbol));
    }
    return true;
}

/* --- the device */

static void device_class_init(ObjectClass *klass, VRAMLINK_CLASS_DATA *data)
{
    vram_gpu_class_init(klass);
    DEVICE_CLASS(klass)->desc = "3D virtio-gpu whose guest blobs may lie in a passthrough GPU's VRAM";
}

/* --- its PCI functions */

typedef struct VramGPUGLPCI {
    VirtIOGPUPCIBase parent_obj;
    VramGPU vdev;
} VramGPUGLPCI;

DECLARE_INSTANCE_CHECKER(VramGPUGLPCI, VRAM_GPU_GL_PCI, TYPE_VRAM_GPU_GL_PCI)

static void pci_instance_init(Object *obj)
{
    VramGPUGLPCI *dev = VRAM_GPU_GL_PCI(obj);

    virtio_instance_init_common(obj, &dev->vdev, sizeof(dev->vdev), TYPE_VRAM_GPU_GL);
    VIRTIO_GPU_PCI_BASE(obj)->vgpu = VIRTIO_GPU_BASE(&dev->vdev);
}

typedef struct VramVGAGL {
    VirtIOVGABase parent_obj;
    VramGPU vdev;
} VramVGAGL;

DECLARE_INSTANCE_CHECKER(VramVGAGL, VRAM_VGA_GL, TYPE_VRAM_VGA_GL)

static void vga_instance_init(Object *obj)
{
    VramVGAGL *dev = VRAM_VGA_GL(obj);

    virtio_instance_init_common(obj, &dev->vdev, sizeof(dev->vdev), TYPE_VRAM_GPU_GL);
    VIRTIO_VGA_BASE(obj)->vgpu = VIRTIO_GPU_BASE(&dev->vdev);
}

static void wrapper_class_init(ObjectClass *klass, VRAMLINK_CLASS_DATA *data)
{
    vram_add_stats_properties(klass);
    vram_add_show_mapped_property(klass);
}

bool vram_gl_register(void)
{
    static VRAMLINK_INTERFACE interfaces[] = {{TYPE_VRAM_ANY_GPU}, {}};
    static const TypeInfo device = {
        .name = TYPE_VRAM_GPU_GL,
        .parent = TYPE_VIRTIO_GPU_GL,
        .instance_size = sizeof(VramGPU),
        .instance_init = vram_gpu_instance_init,
        .class_init = device_class_init,
        .interfaces = interfaces,
    };
    static const VirtioPCIDeviceTypeInfo pci = {
        .generic_name = TYPE_VRAM_GPU_GL_PCI,
        .parent = TYPE_VIRTIO_GPU_PCI_BASE,
        .instance_size = sizeof(VramGPUGLPCI),
        .instance_init = pci_instance_init,
        .class_init = wrapper_class_init,
    };
    static const VirtioPCIDeviceTypeInfo vga = {
        .generic_name = TYPE_VRAM_VGA_GL,
        .parent = "virtio-vga-base",
        .instance_size = sizeof(VramVGAGL),
        .instance_init = vga_instance_init,
        .class_init = wrapper_class_init,
    };

    if (!vram_have_type(TYPE_VIRTIO_GPU_GL)) {
        info_report("vramlink: QEMU's virtio-gpu-gl module is not installed: no " TYPE_VRAM_GPU_GL_PCI);
        return true;
    }
    if (!vram_layout_check())
        return false;
    if (!look_up())
        return true;
    type_register_static(&device);
    virtio_pci_types_register(&pci);
    if (vram_have_type("virtio-vga-base")) /* its absence has been told (vga.c) */
        virtio_pci_types_register(&vga);
    return true;
}
