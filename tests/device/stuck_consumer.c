/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stuck_consumer.h"

#include "dbus_listener.h"

#include <string.h>

struct stuck_consumer {
    struct dbus_listener *listener;
    int scanouts; /* atomic */
    int updates;  /* atomic */
    int answers;  /* atomic: not stuck */
    GMutex lock;  /* of what follows */
    int64_t scanout_us;
    int cursors;
    struct stuck_cursor cursor;
};

static void take_cursor(struct stuck_consumer *consumer, GVariant *body)
{
    gsize size;
    GVariant *data = g_variant_get_child_value(body, 4);
    const void *pixels = g_variant_get_fixed_array(data, &size, 1);

    g_mutex_lock(&consumer->lock);
    consumer->cursors++;
    g_variant_get_child(body, 0, "i", &consumer->cursor.width);
    g_variant_get_child(body, 1, "i", &consumer->cursor.height);
    g_variant_get_child(body, 2, "i", &consumer->cursor.hot_x);
    g_variant_get_child(body, 3, "i", &consumer->cursor.hot_y);
    memcpy(consumer->cursor.pixels, pixels, MIN(size, sizeof(consumer->cursor.pixels)));
    g_mutex_unlock(&consumer->lock);
    g_variant_unref(data);
}

static void take_scanout(struct stuck_consumer *consumer)
{
    g_mutex_lock(&consumer->lock);
    consumer->scanout_us = g_get_monotonic_time();
    g_mutex_unlock(&consumer->lock);
    g_atomic_int_inc(&consumer->scanouts);
}

int64_t stuck_consumer_scanout_us(struct stuck_consumer *consumer)
{
    g_mutex_lock(&consumer->lock);
    const int64_t us = consumer->scanout_us;
    g_mutex_unlock(&consumer->lock);
    return us;
}

int stuck_consumer_cursor(struct stuck_consumer *consumer, struct stuck_cursor *cursor)
{
    g_mutex_lock(&consumer->lock);
    const int count = consumer->cursors;
    *cursor = consumer->cursor;
    g_mutex_unlock(&consumer->lock);
    return count;
}

void stuck_consumer_answer(struct stuck_consumer *consumer, bool answers)
{
    g_atomic_int_set(&consumer->answers, answers);
}

/* Swallows what QEMU asks of a listener. Questions about properties pass; GDBus answers that there is no such
 * object. */
static GDBusMessage *swallow(GDBusConnection *connection, GDBusMessage *message, gboolean incoming,
                             gpointer self)
{
    struct stuck_consumer *consumer = self;
    const char *member = dbus_listener_call(message, incoming);

    (void)connection;
    if (!member)
        return message;
    if (g_str_has_prefix(member, "ScanoutDMABUF"))
        take_scanout(consumer);
    else if (g_str_has_prefix(member, "UpdateDMABUF"))
        g_atomic_int_inc(&consumer->updates);
    else if (g_str_equal(member, "CursorDefine"))
        take_cursor(consumer, g_dbus_message_get_body(message));
    if (g_atomic_int_get(&consumer->answers))
        dbus_listener_answer(connection, message);
    g_object_unref(message);
    return NULL;
}

struct stuck_consumer *stuck_consumer_new(int display)
{
    struct stuck_consumer *consumer = g_new0(struct stuck_consumer, 1);

    consumer->listener = dbus_listener_new(display, 0, swallow, consumer);
    if (consumer->listener)
        return consumer;
    g_free(consumer);
    return NULL;
}

void stuck_consumer_free(struct stuck_consumer *consumer)
{
    if (!consumer)
        return;
    dbus_listener_free(consumer->listener);
    g_free(consumer);
}

int stuck_consumer_scanouts(struct stuck_consumer *consumer)
{
    return g_atomic_int_get(&consumer->scanouts);
}

int stuck_consumer_updates(struct stuck_consumer *consumer)
{
    return g_atomic_int_get(&consumer->updates);
}
