/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into QEMU: writes down each thing that may take a VFIO device's memory away, at the moment when
 * the kernel is asked for it, with how many VFIO dma-bufs there are then in the whole system.
 *
 *   VRAMLINK_TEST_LOSS_LOG=FILE   lines "config ADDRESS LENGTH VALUE dmabufs ns", "reset dmabufs ns" and
 *                                 "hot-reset dmabufs ns"; ns is how long the kernel took
 *
 * The dma-bufs are counted in debugfs (Linux: drivers/dma-buf/dma-buf.c), so those that only an importer
 * holds count, too.
 */
#include "ioctl_wrapper.h"
#include "vfio_files.h"

#include <linux/vfio.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const char *log_path(void)
{
    return getenv("VRAMLINK_TEST_LOSS_LOG");
}

static int vfio_dmabufs(void)
{
    FILE *file = fopen("/sys/kernel/debug/dma_buf/bufinfo", "re");
    char line[512];
    int count = 0;

    while (file && fgets(line, sizeof(line), file))
        count += strstr(line, "vfio") != NULL;
    if (file)
        fclose(file);
    return file ? count : -1;
}

static void append(const char *what, int dmabufs, int64_t ns)
{
    const int saved = errno;
    FILE *file = fopen(log_path(), "ae");

    if (file) {
        fprintf(file, "%s %d %lld\n", what, dmabufs, (long long)ns);
        fclose(file);
    }
    errno = saved;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    char what[128];
    uint32_t value = 0;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    if (!log_path() || VFIO_REGION_OF(offset) != VFIO_PCI_CONFIG_REGION_INDEX || size > sizeof(value) ||
        !fd_is_vfio_device(fd))
        return real(fd, data, size, offset);
    memcpy(&value, data, size);
    snprintf(what, sizeof(what), "config 0x%llx %zu 0x%x", (unsigned long long)VFIO_OFFSET_IN_REGION(offset),
             size, value);
    const int dmabufs = vfio_dmabufs();
    const int64_t start = monotonic_ns();
    const ssize_t result = real(fd, data, size, offset);
    append(what, dmabufs, monotonic_ns() - start);
    return result;
}

static int wrap_ioctl(int fd, unsigned long request, void *argument)
{
    if (!log_path() || (request != VFIO_DEVICE_RESET && request != VFIO_DEVICE_PCI_HOT_RESET))
        return next_ioctl(fd, request, argument);
    const int dmabufs = vfio_dmabufs();
    const int64_t start = monotonic_ns();
    const int result = next_ioctl(fd, request, argument);
    append(request == VFIO_DEVICE_RESET ? "reset" : "hot-reset", dmabufs, monotonic_ns() - start);
    return result;
}
