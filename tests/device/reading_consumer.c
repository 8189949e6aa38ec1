/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reading_consumer.h"

#include "dbus_listener.h"

#include <gio/gunixfdlist.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EARLY_WAIT_US 2000000
#define STEP_US 500

struct reading_consumer {
    struct dbus_listener *listener;
    struct reading_options options;
    GMutex lock; /* of what follows */
    struct reading_report report;
    /* The frame: a mapped dma-buf, or a surface's copy. */
    void *map;
    size_t map_size;
    GVariant *copy;
    const volatile uint32_t *pixels;
    uint32_t width, height, stride;
};

static void drop_frame(struct reading_consumer *c)
{
    if (c->map)
        munmap(c->map, c->map_size);
    if (c->copy)
        g_variant_unref(c->copy);
    c->copy = NULL;
    c->map = NULL;
    c->pixels = NULL;
}

static void set_frame(struct reading_consumer *c, const void *pixels, uint32_t width, uint32_t height,
                      uint32_t stride)
{
    c->pixels = pixels;
    c->width = c->report.width = width;
    c->height = c->report.height = height;
    c->stride = stride;
}

/* ScanoutDMABUF(h dmabuf, u width, u height, u stride, u fourcc, t modifier, b y0_top) */
static void take_dmabuf(struct reading_consumer *c, GDBusMessage *message)
{
    uint32_t width, height, stride;
    int fd;

    drop_frame(c);
    g_variant_get(g_dbus_message_get_body(message), "(huuuutb)", NULL, &width, &height, &stride, NULL, NULL,
                  NULL);
    fd = g_unix_fd_list_get(g_dbus_message_get_unix_fd_list(message), 0, NULL);
    c->map_size = (size_t)stride * height;
    c->map = mmap(NULL, c->map_size, PROT_READ, MAP_SHARED, fd, 0);
    if (c->map == MAP_FAILED) {
        c->report.error = errno;
        c->map = NULL;
    } else {
        set_frame(c, c->map, width, height, stride);
        c->report.dmabufs++;
    }
    close(fd);
}

/* Scanout(u width, u height, u stride, u pixman_format, ay data) */
static void take_surface(struct reading_consumer *c, GDBusMessage *message)
{
    GVariant *body = g_dbus_message_get_body(message);
    uint32_t width, height, stride;
    gsize size;

    drop_frame(c);
    g_variant_get_child(body, 0, "u", &width);
    g_variant_get_child(body, 1, "u", &height);
    g_variant_get_child(body, 2, "u", &stride);
    c->copy = g_variant_get_child_value(body, 4);
    set_frame(c, g_variant_get_fixed_array(c->copy, &size, 1), width, height, stride);
    if (size < (gsize)stride * height)
        g_error("a surface of %ux%u has %zu bytes", width, height, size);
}

static uint32_t pixel(const struct reading_consumer *c, uint32_t x, uint32_t y)
{
    return c->pixels[(size_t)y * c->stride / 4 + x] & 0xffffff;
}

/* Compares rows [@from, @to) with the frame's first pixel; false at the first that differs. */
static bool rows_are(struct reading_consumer *c, uint32_t value, uint32_t from, uint32_t to)
{
    for (uint32_t y = from; y < to; y++) {
        for (uint32_t x = 0; x < c->width; x++) {
            const uint32_t seen = pixel(c, x, y);

            if (seen == value)
                continue;
            if (c->report.mixed++ == 0) {
                c->report.top = value;
                c->report.end = seen;
            }
            return false;
        }
    }
    return true;
}

static void pause_in_the_middle(struct reading_consumer *c)
{
    const uint32_t before = pixel(c, c->width - 1, c->height - 1);

    g_usleep((gulong)c->options.pause_ms * 1000);
    if (!c->options.lets_go_early)
        return;
    for (int waited = 0; waited < EARLY_WAIT_US; waited += STEP_US) {
        if (pixel(c, c->width - 1, c->height - 1) != before)
            return;
        g_usleep(STEP_US);
    }
}

static void read_frame(struct reading_consumer *c)
{
    uint32_t value;

    if (!c->pixels)
        return;
    value = pixel(c, 0, 0);
    if (rows_are(c, value, 0, c->height / 2)) {
        pause_in_the_middle(c);
        (void)rows_are(c, value, c->height / 2, c->height);
    }
    c->report.last = pixel(c, c->width - 1, c->height - 1);
    c->report.frames++;
}

/* Frames are read when they come and once more for each update: both are moments at which a window is drawn.
 */
static void take(struct reading_consumer *c, GDBusMessage *message, const char *member)
{
    if (g_str_equal(member, "ScanoutDMABUF"))
        take_dmabuf(c, message);
    else if (g_str_equal(member, "Scanout"))
        take_surface(c, message);
    else if (g_str_equal(member, "Disable"))
        drop_frame(c);
    else if (!g_str_equal(member, "UpdateDMABUF"))
        return;
    read_frame(c);
}

static GDBusMessage *on_message(GDBusConnection *connection, GDBusMessage *message, gboolean incoming,
                                gpointer self)
{
    struct reading_consumer *c = self;
    const char *member = dbus_listener_call(message, incoming);

    if (!member)
        return message;
    if (c->options.lets_go_early)
        dbus_listener_answer(connection, message);
    g_mutex_lock(&c->lock);
    take(c, message, member);
    g_mutex_unlock(&c->lock);
    if (!c->options.lets_go_early)
        dbus_listener_answer(connection, message);
    g_object_unref(message);
    return NULL;
}

struct reading_consumer *reading_consumer_new(int display, struct reading_options options)
{
    struct reading_consumer *c = g_new0(struct reading_consumer, 1);

    c->options = options;
    c->listener = dbus_listener_new(display, 0, on_message, c);
    if (c->listener)
        return c;
    g_free(c);
    return NULL;
}

void reading_consumer_free(struct reading_consumer *c)
{
    if (!c)
        return;
    dbus_listener_free(c->listener);
    drop_frame(c);
    g_free(c);
}

struct reading_report reading_consumer_report(struct reading_consumer *c)
{
    g_mutex_lock(&c->lock);
    const struct reading_report report = c->report;
    g_mutex_unlock(&c->lock);
    return report;
}

bool reading_consumer_pixels(struct reading_consumer *c, uint32_t *pixels, uint32_t width, uint32_t height)
{
    g_mutex_lock(&c->lock);
    const bool fits = c->pixels && c->width == width && c->height == height;
    for (uint32_t y = 0; fits && y < height; y++) {
        for (uint32_t x = 0; x < width; x++)
            pixels[(size_t)y * width + x] = pixel(c, x, y);
    }
    g_mutex_unlock(&c->lock);
    return fits;
}
