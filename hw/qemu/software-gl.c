/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether the GL of this process renders in software.
 *
 * Mesa's software renderer on a DRM device (kms_swrast) imports any dma-buf that the device's driver imports,
 * and then reads it through a mapping. The kernel gives none of an imported buffer (Linux:
 * drivers/gpu/drm/drm_gem.c, drm_gem_dumb_map_offset), Mesa does not look, and llvmpipe reads from nowhere:
 * the whole VM ends with SIGSEGV. So such a display is shown the CPU's view, which costs it nothing more.
 */
#include "hw/qemu/console.h"

#include <dlfcn.h>

#define RENDERER 0x1f01 /* GL_RENDERER in Khronos' gl.xml */

typedef void *(*GetCurrentContext)(void);
typedef void *(*GetProcAddress)(const char *name);
typedef const char *(*GetString)(unsigned name);

/* The renderer of the context that is current; NULL when there is none, or no EGL in this process. */
static const char *renderer(void)
{
    void *egl = dlopen("libEGL.so.1", RTLD_NOW | RTLD_NOLOAD);
    GetCurrentContext get_current_context;
    GetProcAddress get_proc_address;
    GetString get_string;

    if (!egl)
        return NULL;
    *(void **)&get_current_context = dlsym(egl, "eglGetCurrentContext");
    *(void **)&get_proc_address = dlsym(egl, "eglGetProcAddress");
    dlclose(egl); /* whoever loaded it keeps it */
    if (!get_current_context || !get_proc_address || !get_current_context())
        return NULL;
    *(void **)&get_string = get_proc_address("glGetString");
    return get_string ? get_string(RENDERER) : NULL;
}

bool vram_gl_is_software(void)
{
    static const char *const software[] = {"llvmpipe", "softpipe", "swrast", "Software Rasterizer"};
    static enum { UNKNOWN, NO, YES } answer;
    const char *name;

    if (answer != UNKNOWN)
        return answer == YES;
    name = renderer();
    if (!name)
        return false;
    answer = NO;
    for (size_t i = 0; i < ARRAY_SIZE(software); i++) {
        if (strstr(name, software[i]))
            answer = YES;
    }
    return answer == YES;
}
