/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What qemu_probe.c, preloaded into QEMU, counts while it is told to: a page shared with the benchmark. The
 * file that $VRAMLINK_PROBE names holds it.
 */
#ifndef VRAMLINK_TESTS_BENCH_QEMU_PROBE_H
#define VRAMLINK_TESTS_BENCH_QEMU_PROBE_H

#include <stdint.h>

struct qemu_probe {
    uint32_t on;             /* set by the benchmark */
    uint64_t ours;           /* allocations that the plugin asked for */
    uint64_t ours_bytes;     /* and what it asked for, less what it gave back of it */
    uint64_t others;         /* allocations by everybody else */
    uint64_t exports;        /* VFIO_DEVICE_FEATURE ioctls */
    uint64_t last_export_ns; /* what the last one took */
    char first_ours[160];    /* the function that asked for the first one of ours */
};

#endif
