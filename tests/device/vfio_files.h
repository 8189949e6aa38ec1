/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a file descriptor has to do with VFIO, for what runs inside another program: libraries that tests
 * preload, and consumers. Thread: any.
 */
#ifndef VRAMLINK_TESTS_DEVICE_VFIO_FILES_H
#define VRAMLINK_TESTS_DEVICE_VFIO_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* vfio-pci: the region's index is in the upper bits of the file offset (Linux:
 * include/linux/vfio_pci_core.h). */
#define VFIO_REGION_SHIFT 40
#define VFIO_REGION_OF(offset) ((uint64_t)(offset) >> VFIO_REGION_SHIFT)
#define VFIO_OFFSET_IN_REGION(offset) ((uint64_t)(offset) & ((1ull << VFIO_REGION_SHIFT) - 1))

/* Where /proc says that it leads contains @part. */
static inline bool fd_leads_to(int fd, const char *part)
{
    char link[64], target[256];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    return strstr(target, part) != NULL;
}

static inline bool fd_is_vfio_device(int fd)
{
    return fd_leads_to(fd, "vfio-device");
}

/* A dma-buf that VFIO has exported. */
static inline bool fd_is_vfio_dmabuf(int fd)
{
    static const char exporter[] = "exp_name:\tvfio";
    char path[64], line[128];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    FILE *info = fopen(path, "re");
    while (info && fgets(line, sizeof(line), info))
        found |= strncmp(line, exporter, strlen(exporter)) == 0;
    if (info)
        fclose(info);
    return found;
}

/* CLOCK_MONOTONIC. */
static inline int64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

#endif
