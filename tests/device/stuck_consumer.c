/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stuck_consumer.h"

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

#include <sys/socket.h>

#define CALL_TIMEOUT_MS 120000

struct stuck_consumer {
    GDBusConnection *display;
    GDBusConnection *listener;
    GIOStream *listener_stream;
    int scanouts; /* atomic */
    int updates;  /* atomic */
    GMutex lock;  /* of what follows */
    int cursors;
    struct stuck_cursor cursor;
};

static GIOStream *stream_of(int fd)
{
    GError *error = NULL;
    GSocket *socket = g_socket_new_from_fd(fd, &error);

    if (!socket)
        g_error("socket %d: %s", fd, error->message);
    GIOStream *stream = G_IO_STREAM(g_socket_connection_factory_create_connection(socket));
    g_object_unref(socket);
    return stream;
}

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

int stuck_consumer_cursor(struct stuck_consumer *consumer, struct stuck_cursor *cursor)
{
    g_mutex_lock(&consumer->lock);
    const int count = consumer->cursors;
    *cursor = consumer->cursor;
    g_mutex_unlock(&consumer->lock);
    return count;
}

/* Swallows what QEMU asks of a listener. Questions about properties pass; GDBus answers that there is no such
 * object. */
static GDBusMessage *swallow(GDBusConnection *connection, GDBusMessage *message, gboolean incoming,
                             gpointer self)
{
    struct stuck_consumer *consumer = self;
    const char *interface = g_dbus_message_get_interface(message);
    const char *member = g_dbus_message_get_member(message);

    if (!incoming || !interface || !g_str_has_prefix(interface, "org.qemu.Display1.Listener"))
        return message;
    if (g_str_has_prefix(member, "ScanoutDMABUF"))
        g_atomic_int_inc(&consumer->scanouts);
    else if (g_str_has_prefix(member, "UpdateDMABUF"))
        g_atomic_int_inc(&consumer->updates);
    else if (g_str_equal(member, "CursorDefine"))
        take_cursor(consumer, g_dbus_message_get_body(message));
    g_object_unref(message);
    return NULL;
}

/* QEMU answers RegisterListener when the listener's connection stands: that is made on a thread of its own.
 */
static gpointer connect_listener(gpointer self)
{
    struct stuck_consumer *consumer = self;
    GError *error = NULL;

    consumer->listener = g_dbus_connection_new_sync(consumer->listener_stream, NULL,
                                                    G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                        G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                                                    NULL, NULL, &error);
    if (!consumer->listener) {
        g_printerr("the listener's connection: %s\n", error->message);
        g_error_free(error);
        return NULL;
    }
    g_dbus_connection_add_filter(consumer->listener, swallow, consumer, NULL);
    g_dbus_connection_start_message_processing(consumer->listener);
    return NULL;
}

static gboolean register_listener(struct stuck_consumer *consumer)
{
    int pair[2];
    GError *error = NULL;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        g_error("socketpair failed");
    consumer->listener_stream = stream_of(pair[0]);
    GUnixFDList *fds = g_unix_fd_list_new_from_array(&pair[1], 1); /* takes it */
    GThread *thread = g_thread_new("listener", connect_listener, consumer);
    GVariant *answer = g_dbus_connection_call_with_unix_fd_list_sync(
        consumer->display, NULL, "/org/qemu/Display1/Console_0", "org.qemu.Display1.Console",
        "RegisterListener", g_variant_new("(h)", 0), NULL, G_DBUS_CALL_FLAGS_NONE, CALL_TIMEOUT_MS, fds, NULL,
        NULL, &error);
    g_object_unref(fds);
    g_thread_join(thread);
    if (!answer) {
        g_printerr("RegisterListener: %s\n", error->message);
        g_error_free(error);
        return FALSE;
    }
    g_variant_unref(answer);
    return consumer->listener != NULL;
}

struct stuck_consumer *stuck_consumer_new(int display)
{
    struct stuck_consumer *consumer = g_new0(struct stuck_consumer, 1);
    GIOStream *stream = stream_of(display);
    GError *error = NULL;

    consumer->display = g_dbus_connection_new_sync(
        stream, NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &error);
    g_object_unref(stream);
    if (!consumer->display) {
        g_printerr("QEMU's display connection: %s\n", error->message);
        g_error_free(error);
    } else if (register_listener(consumer)) {
        return consumer;
    }
    stuck_consumer_free(consumer);
    return NULL;
}

static void hang_up(GDBusConnection *connection)
{
    if (!connection)
        return;
    g_dbus_connection_close_sync(connection, NULL, NULL);
    g_object_unref(connection);
}

void stuck_consumer_free(struct stuck_consumer *consumer)
{
    if (!consumer)
        return;
    hang_up(consumer->listener);
    hang_up(consumer->display);
    if (consumer->listener_stream)
        g_object_unref(consumer->listener_stream);
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
