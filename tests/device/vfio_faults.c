/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into QEMU: makes the host's VFIO differ from what it is, and writes down what is asked of it.
 *
 *   VRAMLINK_TEST_DMABUF_ERRNO=N   VFIO_DEVICE_FEATURE_DMA_BUF fails with errno N. ENOTTY fails the probe
 * too, as a kernel without the feature does. VRAMLINK_TEST_DMABUF_LOG=FILE  one line for each export that
 * succeeded: "device-fd region offset+length …" VRAMLINK_TEST_SPARSE="REGION OFFSET+LENGTH …" only these
 * areas of the region can be mapped: a BAR that QEMU maps in pieces
 *
 * Numbers as strtoull() reads them. The ABI is linux/vfio.h's; the dma-buf feature is repeated here because
 * the header of Debian 12 lacks it (Linux: include/uapi/linux/vfio.h, VFIO_DEVICE_FEATURE_DMA_BUF).
 */
#include "ioctl_wrapper.h"

#include <linux/vfio.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEATURE_DMA_BUF 11u
#define MAX_AREAS 8

struct dma_buf_request {
    uint32_t region_index;
    uint32_t open_flags;
    uint32_t flags;
    uint32_t nr_ranges;
    struct {
        uint64_t offset;
        uint64_t length;
    } ranges[];
};

struct sparse {
    uint32_t region;
    uint32_t nr_areas;
    struct vfio_region_sparse_mmap_area areas[MAX_AREAS];
};

static void log_export(int fd, const struct dma_buf_request *request)
{
    const char *path = getenv("VRAMLINK_TEST_DMABUF_LOG");
    FILE *file = path ? fopen(path, "ae") : NULL;

    if (!file)
        return;
    fprintf(file, "%d %u", fd, request->region_index);
    for (uint32_t i = 0; i < request->nr_ranges; i++)
        fprintf(file, " %llu+%llu", (unsigned long long)request->ranges[i].offset,
                (unsigned long long)request->ranges[i].length);
    fputc('\n', file);
    fclose(file);
}

/* The errno that is wished for; 0 for none. */
static int chosen_errno(void)
{
    const char *path = getenv("VRAMLINK_TEST_DMABUF_ERRNO");
    FILE *file = path ? fopen(path, "re") : NULL;
    int number = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%d", &number) != 1)
        number = 0;
    fclose(file);
    return number;
}

static int feature(int fd, unsigned long request, struct vfio_device_feature *argument)
{
    const bool probe = argument->flags & VFIO_DEVICE_FEATURE_PROBE;

    if ((argument->flags & VFIO_DEVICE_FEATURE_MASK) != FEATURE_DMA_BUF)
        return next_ioctl(fd, request, argument);
    const int chosen = chosen_errno();
    if (chosen && (!probe || chosen == ENOTTY)) {
        errno = chosen;
        return -1;
    }
    const int result = next_ioctl(fd, request, argument);
    if (result >= 0 && !probe)
        log_export(fd, (const struct dma_buf_request *)argument->data);
    return result;
}

/* Reads VRAMLINK_TEST_SPARSE; false when it is not set. */
static bool read_sparse(struct sparse *sparse)
{
    const char *at = getenv("VRAMLINK_TEST_SPARSE");
    char *end;

    if (!at)
        return false;
    memset(sparse, 0, sizeof(*sparse));
    sparse->region = (uint32_t)strtoul(at, &end, 0);
    while (*end == ' ' && sparse->nr_areas < MAX_AREAS) {
        struct vfio_region_sparse_mmap_area *area = &sparse->areas[sparse->nr_areas++];
        area->offset = strtoull(end + 1, &end, 0);
        area->size = strtoull(*end == '+' ? end + 1 : end, &end, 0);
    }
    return true;
}

/* Replaces the region's capabilities by one that names the areas. */
static void make_sparse(struct vfio_region_info *info, uint32_t room, const struct sparse *sparse)
{
    const size_t areas = sparse->nr_areas * sizeof(sparse->areas[0]);
    const uint32_t needed =
        (uint32_t)(sizeof(*info) + sizeof(struct vfio_region_info_cap_sparse_mmap) + areas);
    struct vfio_region_info_cap_sparse_mmap *cap = (void *)(info + 1);

    info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
    info->argsz = needed;
    info->cap_offset = 0;
    if (room < needed)
        return;
    info->cap_offset = sizeof(*info);
    cap->header = (struct vfio_info_cap_header){.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1};
    cap->nr_areas = sparse->nr_areas;
    cap->reserved = 0;
    memcpy(cap->areas, sparse->areas, areas);
}

static int region_info(int fd, unsigned long request, struct vfio_region_info *info)
{
    const uint32_t room = info->argsz;
    const int result = next_ioctl(fd, request, info);
    struct sparse sparse;

    if (result >= 0 && read_sparse(&sparse) && info->index == sparse.region)
        make_sparse(info, room, &sparse);
    return result;
}

static int wrap_ioctl(int fd, unsigned long request, void *argument)
{
    if (request == VFIO_DEVICE_FEATURE)
        return feature(fd, request, argument);
    if (request == VFIO_DEVICE_GET_REGION_INFO)
        return region_info(fd, request, argument);
    return next_ioctl(fd, request, argument);
}
