/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into a viewer: makes its display GPU a lazy one. Each VFIO dma-buf that it imports is attached to
 * the test importer (kernel/testing), too, in its lazy mode: as with xe, the import ends when the last GEM
 * handle and framebuffer that hold the buffer are gone, not when the kernel says that the memory moves.
 *
 *   VRAMLINK_TEST_IMPORTER=BDF   the importing device; without it nothing happens
 *
 * An attachment that fails fails the import, with its errno. Thread: one, the viewer's.
 */
#include "ioctl_wrapper.h"
#include "vfio_files.h"

#include <drm.h>
#include <drm_mode.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define IMPORTS 64
#define FRAMEBUFFERS 4 /* of one import */

static struct import {
    int importer;    /* 0: the slot is free */
    uint32_t handle; /* 0: closed */
    uint32_t framebuffers[FRAMEBUFFERS];
} imports[IMPORTS];

static struct import *import_of_handle(uint32_t handle)
{
    for (struct import *i = imports; handle && i < imports + IMPORTS; i++) {
        if (i->importer && i->handle == handle)
            return i;
    }
    return NULL;
}

static int tell(int importer, const char *command)
{
    return write(importer, command, strlen(command)) < 0 ? -errno : 0;
}

/* 0 or a negative errno. */
static int attach(const char *device, int dmabuf, uint32_t handle)
{
    struct import *free_slot = imports;
    char command[80];

    if (import_of_handle(handle)) /* the same buffer once more */
        return 0;
    while (free_slot < imports + IMPORTS && free_slot->importer)
        free_slot++;
    if (free_slot == imports + IMPORTS)
        return -ENOSPC;
    const int importer = open("/dev/vram-importer", O_RDWR | O_CLOEXEC);
    if (importer < 0)
        return -errno;
    snprintf(command, sizeof(command), "attach %d %s lazy", dmabuf, device);
    int result = tell(importer, command);
    if (result == 0)
        result = tell(importer, "map");
    if (result < 0) {
        close(importer);
        return result;
    }
    *free_slot = (struct import){.importer = importer, .handle = handle};
    return 0;
}

static void let_go_if_unused(struct import *import)
{
    for (int i = 0; i < FRAMEBUFFERS; i++) {
        if (import->framebuffers[i])
            return;
    }
    if (import->handle)
        return;
    close(import->importer);
    import->importer = 0;
}

static void framebuffer_added(const struct drm_mode_fb_cmd2 *request)
{
    struct import *import = import_of_handle(request->handles[0]);

    for (int i = 0; import && i < FRAMEBUFFERS; i++) {
        if (!import->framebuffers[i]) {
            import->framebuffers[i] = request->fb_id;
            return;
        }
    }
    if (import)
        abort(); /* a viewer that makes so many framebuffers of one import is not ours */
}

static void framebuffer_removed(uint32_t id)
{
    for (struct import *import = imports; import < imports + IMPORTS; import++) {
        for (int i = 0; import->importer && i < FRAMEBUFFERS; i++) {
            if (import->framebuffers[i] != id)
                continue;
            import->framebuffers[i] = 0;
            let_go_if_unused(import);
        }
    }
}

static void handle_closed(uint32_t handle)
{
    struct import *import = import_of_handle(handle);

    if (!import)
        return;
    import->handle = 0;
    let_go_if_unused(import);
}

/* After the real call, which has succeeded. 0 or a negative errno. */
static int follow(const char *device, unsigned long request, void *argument)
{
    switch (request) {
    case DRM_IOCTL_PRIME_FD_TO_HANDLE: {
        const struct drm_prime_handle *prime = argument;
        return fd_is_vfio_dmabuf(prime->fd) ? attach(device, prime->fd, prime->handle) : 0;
    }
    case DRM_IOCTL_MODE_ADDFB2:
        framebuffer_added(argument);
        return 0;
    case DRM_IOCTL_MODE_RMFB:
        framebuffer_removed(*(const uint32_t *)argument);
        return 0;
    case DRM_IOCTL_GEM_CLOSE:
        handle_closed(((const struct drm_gem_close *)argument)->handle);
        return 0;
    default:
        return 0;
    }
}

static int wrap_ioctl(int fd, unsigned long request, void *argument)
{
    const char *device = getenv("VRAMLINK_TEST_IMPORTER");
    const int result = next_ioctl(fd, request, argument);
    if (result != 0 || !device)
        return result;
    const int followed = follow(device, request, argument);
    if (followed == 0)
        return result;
    fprintf(stderr, "lazy import: %s\n", strerror(-followed));
    errno = -followed;
    return -1;
}
