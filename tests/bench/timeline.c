/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into QEMU and into a viewer: writes down when which of them does what during a revocation.
 *
 *   VRAMLINK_TEST_TIMELINE=FILE   lines "WHAT START END", CLOCK_MONOTONIC nanoseconds:
 *       config    QEMU: a config write of a VFIO device, in the kernel
 *       reset     QEMU: VFIO_DEVICE_RESET
 *       closed    QEMU: a descriptor of a VFIO dma-buf; the last of all, since others have let go before
 *       mode      the viewer: a frame that was put on the screen with a mode, as the neutral one is
 *       flip      the viewer: a frame that was handed to the screen without one
 */
#include "tests/device/ioctl_wrapper.h"
#include "tests/device/mode_calls.h"
#include "tests/device/vfio_files.h"

#include <linux/vfio.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void note(const char *what, int64_t start)
{
    const int64_t end = monotonic_ns();
    const int saved = errno;
    FILE *file = fopen(getenv("VRAMLINK_TEST_TIMELINE"), "ae");

    if (file) {
        fprintf(file, "%s %lld %lld\n", what, (long long)start, (long long)end);
        fclose(file);
    }
    errno = saved;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    const bool config = VFIO_REGION_OF(offset) == VFIO_PCI_CONFIG_REGION_INDEX && fd_is_vfio_device(fd);
    const int64_t start = monotonic_ns();
    const ssize_t result = real(fd, data, size, offset);
    if (config)
        note("config", start);
    return result;
}

static int wrap_ioctl(int fd, unsigned long request, void *argument)
{
    const int64_t start = monotonic_ns();
    const int result = next_ioctl(fd, request, argument);
    if (request == VFIO_DEVICE_RESET)
        note("reset", start);
    else if (call_sets_mode(request, argument))
        note("mode", start);
    else if (call_flips(request, argument))
        note("flip", start);
    return result;
}

int close(int fd)
{
    static int (*real)(int);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "close");
    const bool dmabuf =
        fd_leads_to(fd, "dmabuf") && fd_is_vfio_dmabuf(fd); /* most files need no second look */
    const int64_t start = monotonic_ns();
    const int result = real(fd);
    if (dmabuf)
        note("closed", start);
    return result;
}
