/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A consumer of QEMU's D-Bus display that answers at once and remembers what it was told, in order, with the
 * pixels where it can see them. (Interface: QEMU's ui/dbus-display1.xml.)
 *
 * Thread: calls arrive on GDBus's own thread; the functions here are for one thread.
 */
#ifndef VRAMLINK_TESTS_DEVICE_RECORDING_CONSUMER_H
#define VRAMLINK_TESTS_DEVICE_RECORDING_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct recording_consumer;

enum recorded_kind {
    RECORDED_SCANOUT,        /* width, height, stride, format (pixman's), pixels */
    RECORDED_UPDATE,         /* and x, y */
    RECORDED_SCANOUT_DMABUF, /* width, height, stride, format (a fourcc), modifier, inode, exporter, name;
                                pixels where the exporter lets them be mapped */
    RECORDED_UPDATE_DMABUF,  /* x, y, width, height */
    RECORDED_DISABLE,
    RECORDED_MOUSE_SET,     /* x, y, on */
    RECORDED_CURSOR_DEFINE, /* width, height, x and y (the hot spot), pixels */
    RECORDED_OTHER,
};

struct recorded {
    enum recorded_kind kind;
    int x, y, on;
    uint32_t width, height, stride, format;
    uint64_t modifier, inode;
    char exporter[32], name[32]; /* of a dma-buf */
    size_t size;                 /* bytes of pixels */
    unsigned char *pixels;       /* NULL: not seen */
};

/* @display: a socket on which QEMU speaks the display protocol (add_client, protocol "@dbus-display"); taken.
 * Registers as a listener of the console. NULL, with a sentence on stderr, when that fails. */
struct recording_consumer *recording_consumer_new(int display, unsigned console);
void recording_consumer_free(struct recording_consumer *consumer);

/* How many calls there were; each stays until the consumer is freed. */
unsigned recording_consumer_count(struct recording_consumer *consumer);
const struct recorded *recording_consumer_get(struct recording_consumer *consumer, unsigned number);

/* From now on it keeps the last dma-buf that it is handed, whatever it is told; or closes each at once, as it
 * does unless told otherwise. */
void recording_consumer_keep(struct recording_consumer *consumer, bool keeps);
/* The one that it keeps, which the caller closes; -1: none. */
int recording_consumer_take(struct recording_consumer *consumer);
/* Whether QEMU has ended the connection. */
bool recording_consumer_closed(struct recording_consumer *consumer);

/* Console.SetUIInfo: this is how large my window is. */
bool recording_consumer_set_ui_info(struct recording_consumer *consumer, unsigned width_mm,
                                    unsigned height_mm, unsigned width, unsigned height);

#ifdef __cplusplus
}
#endif

#endif
