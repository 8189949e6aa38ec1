/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into QEMU: makes the GL of its process that of a GPU that imports VRAM, with a driver of the
 * test's choice. Mesa's software renderer, the one that the lab has, cannot do it: so an import of a VFIO
 * dma-buf is only pretended. The texture is a single black pixel, and the buffer is attached to the test
 * importer (kernel/testing) until the image and the texture are gone. Everything else is the real GL.
 *
 *   VRAMLINK_TEST_GL=FILE        "DRIVER MODE": what the driver is called, and "lazy" or "eager".
 *                                Lazy ones let go with their last handle, eager ones when the kernel tells
 *                                them to. Read at each question
 *   VRAMLINK_TEST_GL_ALONE=1     an EGL display is current, though nobody has made one
 *   VRAMLINK_TEST_IMPORTER=BDF   the importing device
 *
 * Each import is told on stderr, and an attachment that fails fails it. Thread: the main loop's; others look
 * symbols up.
 */
#include "dlsym_wrapper.h"
#include "ioctl_wrapper.h"
#include "vfio_files.h"

#include <drm.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Khronos' egl.xml and gl.xml */
#define EGL_NONE 0x3038
#define EGL_TRUE 1u
#define EGL_DEVICE_EXT 0x322c
#define EGL_DRM_RENDER_NODE_FILE_EXT 0x3377
#define EGL_DMA_BUF_PLANE0_FD_EXT 0x3272
#define GL_RENDERER 0x1f01
#define GL_TEXTURE_2D 0x0de1
#define GL_TEXTURE_BINDING_2D 0x8069
#define GL_RGBA 0x1908
#define GL_UNSIGNED_BYTE 0x1401

/* Stands for the GPU's node: real ones are asked for their driver by Mesa, too. */
#define NODE "/dev/null"
#define IMPORTS 8
#define WORD 64

/* The functions that this library stands in front of. */
static void *(*real_get_proc_address)(const char *name);
static void *(*real_get_current_display)(void);
static void *(*real_create_image)(void *, void *, unsigned, void *, const int32_t *);
static unsigned (*real_destroy_image)(void *, void *);
static unsigned (*real_query_display)(void *, int, intptr_t *);
static const char *(*real_query_device)(void *, int);
static void (*real_target_texture)(unsigned, void *);
static void (*real_delete_textures)(int, const unsigned *);
static const unsigned char *(*real_get_string)(unsigned);

static char gpu; /* the EGL device; and the display, where there is none */

static struct import {
    int importer;     /* 0: the slot is free */
    unsigned texture; /* 0: none, or deleted */
    bool image;
} imports[IMPORTS];

static bool read_choice(char *driver, char *mode)
{
    const char *path = getenv("VRAMLINK_TEST_GL");
    FILE *file = path ? fopen(path, "re") : NULL;
    const bool read = file && fscanf(file, "%63s %63s", driver, mode) == 2;

    if (file)
        fclose(file);
    return read;
}

/* --- the driver's name */

static int answer_version(struct drm_version *version)
{
    char driver[WORD], mode[WORD];

    if (!read_choice(driver, mode)) {
        errno = ENOTTY;
        return -1;
    }
    const size_t length = strlen(driver);
    memcpy(version->name, driver, length < version->name_len ? length : version->name_len);
    version->name_len = length;
    return 0;
}

static int wrap_ioctl(int fd, unsigned long request, void *argument)
{
    if (request == DRM_IOCTL_VERSION && fd_leads_to(fd, NODE))
        return answer_version(argument);
    return next_ioctl(fd, request, argument);
}

static void *get_current_display(void)
{
    void *display = real_get_current_display();

    return display || !getenv("VRAMLINK_TEST_GL_ALONE") ? display : &gpu;
}

static unsigned query_display(void *display, int attribute, intptr_t *value)
{
    if (attribute != EGL_DEVICE_EXT)
        return real_query_display(display, attribute, value);
    *value = (intptr_t)&gpu;
    return EGL_TRUE;
}

static const char *query_device(void *device, int name)
{
    if (device != &gpu)
        return real_query_device(device, name);
    return name == EGL_DRM_RENDER_NODE_FILE_EXT ? NODE : NULL;
}

static const unsigned char *get_string(unsigned name)
{
    return name == GL_RENDERER ? (const unsigned char *)"the test's GPU" : real_get_string(name);
}

/* --- imports */

static bool tell(int importer, const char *command)
{
    return write(importer, command, strlen(command)) >= 0;
}

static bool attach(int importer, int dmabuf)
{
    const char *device = getenv("VRAMLINK_TEST_IMPORTER");
    char driver[WORD], mode[WORD], command[2 * WORD];

    if (importer < 0 || !device || !read_choice(driver, mode))
        return false;
    snprintf(command, sizeof(command), "attach %d %s %s", dmabuf, device, mode);
    return tell(importer, command) && tell(importer, "map");
}

static struct import *import_of(const void *image)
{
    for (struct import *i = imports; i < imports + IMPORTS; i++) {
        if (image == i && i->importer)
            return i;
    }
    return NULL;
}

static struct import *import_vram(int dmabuf)
{
    struct import *slot = imports;

    while (slot < imports + IMPORTS && slot->importer)
        slot++;
    if (slot == imports + IMPORTS)
        abort(); /* a display that keeps so many is not ours */
    const int importer = open("/dev/vram-importer", O_RDWR | O_CLOEXEC);
    if (!attach(importer, dmabuf)) {
        fprintf(stderr, "GL importer: %s\n", strerror(errno));
        if (importer >= 0)
            close(importer);
        return NULL;
    }
    fprintf(stderr, "GL importer: imported VRAM\n");
    *slot = (struct import){.importer = importer, .image = true};
    return slot;
}

static void let_go_if_unused(struct import *import)
{
    if (import->image || import->texture)
        return;
    close(import->importer);
    import->importer = 0;
}

static int dmabuf_in(const int32_t *attributes)
{
    for (; attributes && attributes[0] != EGL_NONE; attributes += 2) {
        if (attributes[0] == EGL_DMA_BUF_PLANE0_FD_EXT)
            return attributes[1];
    }
    return -1;
}

static void *create_image(void *display, void *context, unsigned target, void *buffer,
                          const int32_t *attributes)
{
    const int dmabuf = dmabuf_in(attributes);

    if (dmabuf >= 0 && fd_is_vfio_dmabuf(dmabuf))
        return import_vram(dmabuf);
    return real_create_image(display, context, target, buffer, attributes);
}

static unsigned destroy_image(void *display, void *image)
{
    struct import *import = import_of(image);

    if (!import)
        return real_destroy_image(display, image);
    import->image = false;
    let_go_if_unused(import);
    return EGL_TRUE;
}

static void target_texture(unsigned target, void *image)
{
    static const uint32_t black = 0xff000000;
    void (*get_integer)(unsigned, int *);
    void (*tex_image)(unsigned, int, int, int, int, int, unsigned, unsigned, const void *);
    struct import *import = import_of(image);
    int texture = 0;

    if (!import) {
        real_target_texture(target, image);
        return;
    }
    *(void **)&get_integer = real_get_proc_address("glGetIntegerv");
    *(void **)&tex_image = real_get_proc_address("glTexImage2D");
    get_integer(GL_TEXTURE_BINDING_2D, &texture);
    tex_image(GL_TEXTURE_2D, 0, GL_RGBA, 1, 1, 0, GL_RGBA, GL_UNSIGNED_BYTE, &black);
    import->texture = (unsigned)texture;
}

static void delete_textures(int count, const unsigned *textures)
{
    real_delete_textures(count, textures);
    for (int t = 0; t < count; t++) {
        for (struct import *i = imports; textures[t] && i < imports + IMPORTS; i++) {
            if (!i->importer || i->texture != textures[t])
                continue;
            i->texture = 0;
            let_go_if_unused(i);
        }
    }
}

/* --- what the program looks up */

static void *get_proc_address(const char *name)
{
    void *found = real_get_proc_address(name);

    return found ? wrap_symbol(name, found) : NULL;
}

static void *wrap_symbol(const char *name, void *found)
{
    static const struct {
        const char *name;
        void (*ours)(void);
        void *real; /* where what was found is kept */
    } functions[] = {
        {"eglGetProcAddress", (void (*)(void))get_proc_address, &real_get_proc_address},
        {"eglGetCurrentDisplay", (void (*)(void))get_current_display, &real_get_current_display},
        {"eglCreateImageKHR", (void (*)(void))create_image, &real_create_image},
        {"eglDestroyImageKHR", (void (*)(void))destroy_image, &real_destroy_image},
        {"eglQueryDisplayAttribEXT", (void (*)(void))query_display, &real_query_display},
        {"eglQueryDeviceStringEXT", (void (*)(void))query_device, &real_query_device},
        {"glEGLImageTargetTexture2DOES", (void (*)(void))target_texture, &real_target_texture},
        {"glDeleteTextures", (void (*)(void))delete_textures, &real_delete_textures},
        {"glGetString", (void (*)(void))get_string, &real_get_string},
    };

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (strcmp(name, functions[i].name) != 0)
            continue;
        *(void **)functions[i].real = found;
        memcpy(&found, &functions[i].ours, sizeof(found));
    }
    return found;
}
