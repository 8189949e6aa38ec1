/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the kernel driver behind the GL of this process does when an exporter takes memory back.
 *
 * The exporter asks importers to unmap (move_notify), and waits. virtio-gpu and amdgpu unmap then (Linux:
 * drivers/gpu/drm/virtio/virtgpu_prime.c, drivers/gpu/drm/ttm/ttm_bo_util.c). xe leaves it to the next use or
 * to the end of the last handle (drivers/gpu/drm/xe/xe_bo.c), and QEMU would wait for itself. Other drivers
 * import no VRAM.
 */
#include "hw/qemu/console.h"

#include <dlfcn.h>
#include <drm.h>
#include <fcntl.h>
#include <sys/ioctl.h>

/* EGL_EXT_device_query, EGL_EXT_device_drm and EGL_EXT_device_drm_render_node in Khronos' egl.xml. */
#define DEVICE 0x322c
#define DRM_DEVICE_FILE 0x3233
#define DRM_RENDER_NODE_FILE 0x3377

typedef void *(*GetCurrentDisplay)(void);
typedef void *(*GetProcAddress)(const char *name);
typedef unsigned (*QueryDisplayAttrib)(void *display, int attribute, intptr_t *value);
typedef const char *(*QueryDeviceString)(void *device, int name);

/* The device file behind the EGL display that is current; NULL when that is not known. */
static const char *device_file(void)
{
    void *egl = dlopen("libEGL.so.1", RTLD_NOW | RTLD_NOLOAD);
    GetCurrentDisplay get_current_display;
    GetProcAddress get_proc_address;
    QueryDisplayAttrib query_display;
    QueryDeviceString query_device;
    void *display;
    intptr_t device = 0;
    const char *file;

    if (!egl)
        return NULL;
    *(void **)&get_current_display = dlsym(egl, "eglGetCurrentDisplay");
    *(void **)&get_proc_address = dlsym(egl, "eglGetProcAddress");
    dlclose(egl); /* whoever loaded it keeps it */
    display = get_current_display && get_proc_address ? get_current_display() : NULL;
    if (!display)
        return NULL;
    *(void **)&query_display = get_proc_address("eglQueryDisplayAttribEXT");
    *(void **)&query_device = get_proc_address("eglQueryDeviceStringEXT");
    if (!query_display || !query_device || !query_display(display, DEVICE, &device) || !device)
        return NULL;
    /* NOLINTBEGIN(performance-no-int-to-ptr): EGL tells handles as numbers */
    file = query_device((void *)device, DRM_RENDER_NODE_FILE);
    return file ? file : query_device((void *)device, DRM_DEVICE_FILE);
    /* NOLINTEND(performance-no-int-to-ptr) */
}

static bool driver_name(const char *file, char *name, size_t size)
{
    struct drm_version version = {.name = name, .name_len = size - 1};
    int fd = open(file, O_RDWR | O_CLOEXEC);
    bool known = fd >= 0 && ioctl(fd, DRM_IOCTL_VERSION, &version) == 0 && version.name_len < size;

    if (known)
        name[version.name_len] = '\0';
    if (fd >= 0)
        close(fd);
    return known;
}

bool vram_gl_lets_go(void)
{
    static const char *const drivers[] = {"virtio_gpu", "amdgpu"};
    const char *file = device_file();
    char name[32];

    if (!file || !driver_name(file, name, sizeof(name)))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (!strcmp(name, drivers[i]))
            return true;
    }
    return false;
}
