/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What fake_qemu.c (the device's surroundings) and fake_consoles.c (its displays) share.
 */
#ifndef VRAMLINK_TESTS_FUZZ_FAKE_DEVICE_H
#define VRAMLINK_TESTS_FUZZ_FAKE_DEVICE_H

#include "hw/qemu/vram-gpu.h"

#include "tests/fuzz/fake_qemu.h"

#include "ui/console-priv.h"
#include "ui/surface.h"

struct QemuDmaBuf {
    int fd;
    uint32_t width, height, stride, texture;
};

typedef struct FakeConsole {
    struct QemuConsole con; /* first: what the code under test has is a pointer to it */
    const QemuDmaBuf *dmabuf;
    DisplaySurface *surface;
} FakeConsole;

struct fake_gpu {
    VramGPU vg; /* first */
    FakeConsole console[FAKE_OUTPUTS];
    const struct fake_displays *displays;
    VirtIOGPUClass klass, parent_class;
    GQueue waiting; /* commands that the guest has put into the ring */
    bool timer_runs;
    int64_t now_ms;
    uint32_t last_answer;
    unsigned dmabufs; /* QemuDmaBufs that exist */
};

/* The code under test finds its device in many ways; there is one. */
extern struct fake_gpu *fake;

#define must(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                          \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#endif
