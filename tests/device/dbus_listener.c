/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dbus_listener.h"

#include <gio/gunixfdlist.h>

#include <sys/socket.h>

#define CALL_TIMEOUT_MS 120000

struct dbus_listener {
    GDBusConnection *display;
    GDBusConnection *listener;
    GIOStream *listener_stream;
    char console[64];
    GDBusMessageFilterFunction filter;
    void *data;
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

/* QEMU answers RegisterListener when the listener's connection stands: that is made on a thread of its own.
 */
static gpointer connect_listener(gpointer self)
{
    struct dbus_listener *l = self;
    GError *error = NULL;

    l->listener = g_dbus_connection_new_sync(l->listener_stream, NULL,
                                             G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                 G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                                             NULL, NULL, &error);
    if (!l->listener) {
        g_printerr("the listener's connection: %s\n", error->message);
        g_error_free(error);
        return NULL;
    }
    g_dbus_connection_add_filter(l->listener, l->filter, l->data, NULL);
    g_dbus_connection_start_message_processing(l->listener);
    return NULL;
}

/* @fds may be NULL. */
static gboolean call_console(struct dbus_listener *l, const char *method, GVariant *arguments,
                             GUnixFDList *fds)
{
    GError *error = NULL;
    GVariant *answer = g_dbus_connection_call_with_unix_fd_list_sync(
        l->display, NULL, l->console, "org.qemu.Display1.Console", method, arguments, NULL,
        G_DBUS_CALL_FLAGS_NONE, CALL_TIMEOUT_MS, fds, NULL, NULL, &error);

    if (!answer) {
        g_printerr("%s: %s\n", method, error->message);
        g_error_free(error);
        return FALSE;
    }
    g_variant_unref(answer);
    return TRUE;
}

gboolean dbus_listener_ask(struct dbus_listener *l, const char *method, GVariant *arguments)
{
    return call_console(l, method, arguments, NULL);
}

static gboolean register_listener(struct dbus_listener *l)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        g_error("socketpair failed");
    l->listener_stream = stream_of(pair[0]);
    GUnixFDList *fds = g_unix_fd_list_new_from_array(&pair[1], 1); /* takes it */
    GThread *thread = g_thread_new("listener", connect_listener, l);
    const gboolean registered = call_console(l, "RegisterListener", g_variant_new("(h)", 0), fds);
    g_object_unref(fds);
    g_thread_join(thread);
    return registered && l->listener != NULL;
}

struct dbus_listener *dbus_listener_new(int display, unsigned console, GDBusMessageFilterFunction filter,
                                        void *data)
{
    struct dbus_listener *l = g_new0(struct dbus_listener, 1);
    GIOStream *stream = stream_of(display);
    GError *error = NULL;

    g_snprintf(l->console, sizeof(l->console), "/org/qemu/Display1/Console_%u", console);
    l->filter = filter;
    l->data = data;
    l->display = g_dbus_connection_new_sync(stream, NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL,
                                            NULL, &error);
    g_object_unref(stream);
    if (!l->display) {
        g_printerr("QEMU's display connection: %s\n", error->message);
        g_error_free(error);
    } else if (register_listener(l)) {
        return l;
    }
    dbus_listener_free(l);
    return NULL;
}

static void hang_up(GDBusConnection *connection)
{
    if (!connection)
        return;
    g_dbus_connection_close_sync(connection, NULL, NULL);
    g_object_unref(connection);
}

void dbus_listener_free(struct dbus_listener *l)
{
    if (!l)
        return;
    hang_up(l->listener);
    hang_up(l->display);
    if (l->listener_stream)
        g_object_unref(l->listener_stream);
    g_free(l);
}

gboolean dbus_listener_closed(const struct dbus_listener *l)
{
    return g_dbus_connection_is_closed(l->listener);
}

const char *dbus_listener_call(GDBusMessage *message, gboolean incoming)
{
    const char *interface = g_dbus_message_get_interface(message);

    if (!incoming || !interface || !g_str_has_prefix(interface, "org.qemu.Display1.Listener"))
        return NULL;
    return g_dbus_message_get_member(message);
}

void dbus_listener_answer(GDBusConnection *connection, GDBusMessage *call)
{
    GDBusMessage *reply;

    if (g_dbus_message_get_flags(call) & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED)
        return;
    reply = g_dbus_message_new_method_reply(call);
    g_dbus_connection_send_message(connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
    g_object_unref(reply);
}
