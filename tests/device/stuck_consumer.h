/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A consumer of QEMU's D-Bus display that takes every frame and never answers, unless it is told to: what a
 * hung compositor looks like to QEMU. (Interface: QEMU's ui/dbus-display1.xml.)
 *
 * Thread: its calls arrive on GDBus's own thread; the functions here are for one thread.
 */
#ifndef VRAMLINK_TESTS_DEVICE_STUCK_CONSUMER_H
#define VRAMLINK_TESTS_DEVICE_STUCK_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stuck_consumer;

/* @display: a socket on which QEMU speaks the display protocol (add_client, protocol "@dbus-display"); taken.
 * Registers as a listener of console 0. NULL, with a sentence on stderr, when that fails. */
struct stuck_consumer *stuck_consumer_new(int display);
void stuck_consumer_free(struct stuck_consumer *consumer);
/* From now on it answers at once, or no longer. */
void stuck_consumer_answer(struct stuck_consumer *consumer, bool answers);

/* When it was handed the last dma-buf, CLOCK_MONOTONIC, microseconds; 0: never. */
int64_t stuck_consumer_scanout_us(struct stuck_consumer *consumer);
/* How many dma-bufs and how many updates of one it has been handed, and keeps unanswered. */
int stuck_consumer_scanouts(struct stuck_consumer *consumer);
int stuck_consumer_updates(struct stuck_consumer *consumer);

#define STUCK_CURSOR_SIZE 64

struct stuck_cursor {
    int width, height, hot_x, hot_y;
    unsigned char pixels[STUCK_CURSOR_SIZE * STUCK_CURSOR_SIZE * 4]; /* ARGB8888 */
};

/* The last cursor that it was handed, into @cursor; how many there were. */
int stuck_consumer_cursor(struct stuck_consumer *consumer, struct stuck_cursor *cursor);

#ifdef __cplusplus
}
#endif

#endif
