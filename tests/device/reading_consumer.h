/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A consumer of QEMU's D-Bus display that looks at each frame while it is its: half of the rows, a pause, the
 * other half; then it answers, which lets the frame go. A frame is whole when all pixels have one value,
 * which the guest that paints counts up. (Interface: QEMU's ui/dbus-display1.xml.)
 *
 * A dma-buf is read through mmap(2), so its exporter must have that: udmabuf, not VFIO.
 *
 * Thread: frames are read on GDBus's own thread; the functions here are for one thread.
 */
#ifndef VRAMLINK_TESTS_DEVICE_READING_CONSUMER_H
#define VRAMLINK_TESTS_DEVICE_READING_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct reading_consumer;

struct reading_options {
    int pause_ms;       /* in the middle of each frame */
    bool lets_go_early; /* answers first, and waits (up to 2 s) until the guest has touched the frame's end */
};

/* As stuck_consumer_new(). */
struct reading_consumer *reading_consumer_new(int display, struct reading_options options);
void reading_consumer_free(struct reading_consumer *consumer);

struct reading_report {
    int frames;        /* read to the end */
    int mixed;         /* of these, not whole */
    int dmabufs;       /* taken */
    uint32_t last;     /* the value of the last frame's last pixel */
    uint32_t top, end; /* of the first mixed frame: its first pixel, and the first that differs */
    int error;         /* an errno: a dma-buf could not be mapped */
    uint32_t width, height;
};
struct reading_report reading_consumer_report(struct reading_consumer *consumer);
/* Copies the last surface's or dma-buf's pixels, width * height words; false when the size is another. */
bool reading_consumer_pixels(struct reading_consumer *consumer, uint32_t *pixels, uint32_t width,
                             uint32_t height);

#ifdef __cplusplus
}
#endif

#endif
