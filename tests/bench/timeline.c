/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into QEMU and into a viewer: writes down when which of them does what during a revocation.
 *
 *   VRAMLINK_TEST_TIMELINE=FILE   lines "WHAT START END", CLOCK_MONOTONIC nanoseconds:
 *       config    QEMU: a config write of a VFIO device, in the kernel
 *       reset     QEMU: VFIO_DEVICE_RESET
 *       closed    QEMU: a descriptor of a VFIO dma-buf; the last of all, since others have let go before
 *       setcrtc   the viewer: a frame that was put on the screen with a mode, as the neutral one is
 */
#include <drm.h>
#include <linux/vfio.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* As in tests/device/loss_log.c. */
#define REGION_OF(offset) ((uint64_t)(offset) >> 40)

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void note(const char *what, int64_t start)
{
    const int64_t end = now_ns();
    const int saved = errno;
    FILE *file = fopen(getenv("VRAMLINK_TEST_TIMELINE"), "ae");

    if (file) {
        fprintf(file, "%s %lld %lld\n", what, (long long)start, (long long)end);
        fclose(file);
    }
    errno = saved;
}

static bool leads_to(int fd, const char *part)
{
    char link[64], target[256];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    return strstr(target, part) != NULL;
}

static bool is_vfio_dmabuf(int fd)
{
    char path[64], line[128];
    bool found = false;

    if (!leads_to(fd, "dmabuf"))
        return false;
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    FILE *info = fopen(path, "re");
    while (info && fgets(line, sizeof(line), info))
        found |= strncmp(line, "exp_name:\tvfio", strlen("exp_name:\tvfio")) == 0;
    if (info)
        fclose(info);
    return found;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    const bool config = REGION_OF(offset) == VFIO_PCI_CONFIG_REGION_INDEX && leads_to(fd, "vfio-device");
    const int64_t start = now_ns();
    const ssize_t result = real(fd, data, size, offset);
    if (config)
        note("config", start);
    return result;
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list ap;

    va_start(ap, request);
    void *argument = va_arg(ap, void *);
    va_end(ap);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
    const int64_t start = now_ns();
    const int result = real(fd, request, argument);
    if (request == VFIO_DEVICE_RESET)
        note("reset", start);
    else if (request == DRM_IOCTL_MODE_SETCRTC)
        note("setcrtc", start);
    return result;
}

int close(int fd)
{
    static int (*real)(int);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "close");
    const bool dmabuf = is_vfio_dmabuf(fd);
    const int64_t start = now_ns();
    const int result = real(fd);
    if (dmabuf)
        note("closed", start);
    return result;
}
