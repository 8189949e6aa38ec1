/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recording_consumer.h"

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALL_TIMEOUT_MS 120000

struct recording_consumer {
    GDBusConnection *display;
    GDBusConnection *listener;
    GIOStream *listener_stream;
    char console[64];
    GMutex lock; /* of what follows */
    GPtrArray *calls;
};

static void recorded_free(gpointer call)
{
    g_free(((struct recorded *)call)->pixels);
    g_free(call);
}

static void copy_pixels(struct recorded *call, const void *pixels, size_t size)
{
    call->pixels = g_memdup2(pixels, size);
    call->size = size;
}

static void take_bytes(struct recorded *call, GVariant *body, gsize index)
{
    gsize size;
    GVariant *data = g_variant_get_child_value(body, index);
    const void *bytes = g_variant_get_fixed_array(data, &size, 1);

    copy_pixels(call, bytes, size);
    g_variant_unref(data);
}

/* Exporter and name of a dma-buf, from the kernel (Linux: Documentation/filesystems/proc.rst). */
static void identify(struct recorded *call, int fd)
{
    char path[64], line[256];
    struct stat status;
    FILE *info;

    if (fstat(fd, &status) == 0)
        call->inode = status.st_ino;
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    info = fopen(path, "r");
    while (info && fgets(line, sizeof(line), info)) {
        (void)sscanf(line, "exp_name: %31s", call->exporter);
        (void)sscanf(line, "name: %31s", call->name);
    }
    if (info)
        fclose(info);
}

static void take_dmabuf(struct recorded *call, GDBusMessage *message)
{
    GUnixFDList *fds = g_dbus_message_get_unix_fd_list(message);
    const int fd = fds ? g_unix_fd_list_get(fds, 0, NULL) : -1;
    const off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    void *pixels;

    if (fd < 0)
        return;
    identify(call, fd);
    pixels = size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (pixels != MAP_FAILED) {
        copy_pixels(call, pixels, (size_t)size);
        munmap(pixels, (size_t)size);
    }
    close(fd);
}

static struct recorded *read_call(GDBusMessage *message)
{
    struct recorded *call = g_new0(struct recorded, 1);
    GVariant *body = g_dbus_message_get_body(message);
    const char *member = g_dbus_message_get_member(message);

    call->kind = RECORDED_OTHER;
    if (g_str_equal(member, "Scanout")) {
        call->kind = RECORDED_SCANOUT;
        g_variant_get(body, "(uuuu@ay)", &call->width, &call->height, &call->stride, &call->format, NULL);
        take_bytes(call, body, 4);
    } else if (g_str_equal(member, "Update")) {
        call->kind = RECORDED_UPDATE;
        g_variant_get(body, "(iiiiuu@ay)", &call->x, &call->y, &call->width, &call->height, &call->stride,
                      &call->format, NULL);
        take_bytes(call, body, 6);
    } else if (g_str_equal(member, "ScanoutDMABUF")) {
        call->kind = RECORDED_SCANOUT_DMABUF;
        g_variant_get(body, "(huuuutb)", NULL, &call->width, &call->height, &call->stride, &call->format,
                      &call->modifier, NULL);
        take_dmabuf(call, message);
    } else if (g_str_equal(member, "UpdateDMABUF")) {
        call->kind = RECORDED_UPDATE_DMABUF;
        g_variant_get(body, "(iiii)", &call->x, &call->y, &call->width, &call->height);
    } else if (g_str_equal(member, "Disable")) {
        call->kind = RECORDED_DISABLE;
    } else if (g_str_equal(member, "MouseSet")) {
        call->kind = RECORDED_MOUSE_SET;
        g_variant_get(body, "(iii)", &call->x, &call->y, &call->on);
    } else if (g_str_equal(member, "CursorDefine")) {
        call->kind = RECORDED_CURSOR_DEFINE;
        g_variant_get(body, "(iiii@ay)", &call->width, &call->height, &call->x, &call->y, NULL);
        take_bytes(call, body, 4);
    }
    return call;
}

/* Records and answers what QEMU asks of a listener. Questions about properties pass; GDBus answers that there
 * is no such object. */
static GDBusMessage *record(GDBusConnection *connection, GDBusMessage *message, gboolean incoming,
                            gpointer self)
{
    struct recording_consumer *consumer = self;
    const char *interface = g_dbus_message_get_interface(message);
    GDBusMessage *reply;

    if (!incoming || !interface || !g_str_has_prefix(interface, "org.qemu.Display1.Listener"))
        return message;
    struct recorded *call = read_call(message);
    g_mutex_lock(&consumer->lock);
    g_ptr_array_add(consumer->calls, call);
    g_mutex_unlock(&consumer->lock);
    reply = g_dbus_message_new_method_reply(message);
    g_dbus_connection_send_message(connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
    g_object_unref(reply);
    g_object_unref(message);
    return NULL;
}

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
    struct recording_consumer *consumer = self;
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
    g_dbus_connection_add_filter(consumer->listener, record, consumer, NULL);
    g_dbus_connection_start_message_processing(consumer->listener);
    return NULL;
}

/* A method of the console; @fds may be NULL. */
static gboolean call_console(struct recording_consumer *consumer, const char *method, GVariant *arguments,
                             GUnixFDList *fds)
{
    GError *error = NULL;
    GVariant *answer = g_dbus_connection_call_with_unix_fd_list_sync(
        consumer->display, NULL, consumer->console, "org.qemu.Display1.Console", method, arguments, NULL,
        G_DBUS_CALL_FLAGS_NONE, CALL_TIMEOUT_MS, fds, NULL, NULL, &error);

    if (!answer) {
        g_printerr("%s: %s\n", method, error->message);
        g_error_free(error);
        return FALSE;
    }
    g_variant_unref(answer);
    return TRUE;
}

static gboolean register_listener(struct recording_consumer *consumer)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        g_error("socketpair failed");
    consumer->listener_stream = stream_of(pair[0]);
    GUnixFDList *fds = g_unix_fd_list_new_from_array(&pair[1], 1); /* takes it */
    GThread *thread = g_thread_new("listener", connect_listener, consumer);
    const gboolean registered = call_console(consumer, "RegisterListener", g_variant_new("(h)", 0), fds);
    g_object_unref(fds);
    g_thread_join(thread);
    return registered && consumer->listener != NULL;
}

struct recording_consumer *recording_consumer_new(int display, unsigned console)
{
    struct recording_consumer *consumer = g_new0(struct recording_consumer, 1);
    GIOStream *stream = stream_of(display);
    GError *error = NULL;

    consumer->calls = g_ptr_array_new_with_free_func(recorded_free);
    snprintf(consumer->console, sizeof(consumer->console), "/org/qemu/Display1/Console_%u", console);
    consumer->display = g_dbus_connection_new_sync(
        stream, NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &error);
    g_object_unref(stream);
    if (!consumer->display) {
        g_printerr("QEMU's display connection: %s\n", error->message);
        g_error_free(error);
    } else if (register_listener(consumer)) {
        return consumer;
    }
    recording_consumer_free(consumer);
    return NULL;
}

static void hang_up(GDBusConnection *connection)
{
    if (!connection)
        return;
    g_dbus_connection_close_sync(connection, NULL, NULL);
    g_object_unref(connection);
}

void recording_consumer_free(struct recording_consumer *consumer)
{
    if (!consumer)
        return;
    hang_up(consumer->listener);
    hang_up(consumer->display);
    if (consumer->listener_stream)
        g_object_unref(consumer->listener_stream);
    g_ptr_array_unref(consumer->calls);
    g_free(consumer);
}

unsigned recording_consumer_count(struct recording_consumer *consumer)
{
    g_mutex_lock(&consumer->lock);
    const unsigned count = consumer->calls->len;
    g_mutex_unlock(&consumer->lock);
    return count;
}

const struct recorded *recording_consumer_get(struct recording_consumer *consumer, unsigned number)
{
    g_mutex_lock(&consumer->lock);
    const struct recorded *call = g_ptr_array_index(consumer->calls, number);
    g_mutex_unlock(&consumer->lock);
    return call;
}

bool recording_consumer_set_ui_info(struct recording_consumer *consumer, unsigned width_mm,
                                    unsigned height_mm, unsigned width, unsigned height)
{
    return call_console(consumer, "SetUIInfo",
                        g_variant_new("(qqiiuu)", (guint16)width_mm, (guint16)height_mm, 0, 0, width, height),
                        NULL);
}
