/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "hw/qemu/slice.h"

#include <time.h>

static int64_t cpu_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t vram_slice_begin(void)
{
    return cpu_time() + VRAM_SLICE_NS;
}

bool vram_slice_over(int64_t end)
{
    return cpu_time() >= end;
}
