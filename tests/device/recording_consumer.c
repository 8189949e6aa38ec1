/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recording_consumer.h"

#include "dbus_listener.h"

#include <gio/gunixfdlist.h>

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct recording_consumer {
    struct dbus_listener *listener;
    GMutex lock; /* of what follows */
    GPtrArray *calls;
    bool keeps; /* dma-bufs */
    int kept;   /* the last one; -1: none */
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

static void keep(struct recording_consumer *consumer, int fd)
{
    g_mutex_lock(&consumer->lock);
    if (consumer->keeps) {
        if (consumer->kept >= 0)
            close(consumer->kept);
        consumer->kept = fd;
    } else {
        close(fd);
    }
    g_mutex_unlock(&consumer->lock);
}

static void take_dmabuf(struct recording_consumer *consumer, struct recorded *call, GDBusMessage *message)
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
    keep(consumer, fd);
}

static struct recorded *read_call(struct recording_consumer *consumer, GDBusMessage *message)
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
        take_dmabuf(consumer, call, message);
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

    if (!dbus_listener_call(message, incoming))
        return message;
    struct recorded *call = read_call(consumer, message);
    g_mutex_lock(&consumer->lock);
    g_ptr_array_add(consumer->calls, call);
    g_mutex_unlock(&consumer->lock);
    dbus_listener_answer(connection, message);
    g_object_unref(message);
    return NULL;
}

struct recording_consumer *recording_consumer_new(int display, unsigned console)
{
    struct recording_consumer *consumer = g_new0(struct recording_consumer, 1);

    consumer->calls = g_ptr_array_new_with_free_func(recorded_free);
    consumer->kept = -1;
    consumer->listener = dbus_listener_new(display, console, record, consumer);
    if (consumer->listener)
        return consumer;
    recording_consumer_free(consumer);
    return NULL;
}

void recording_consumer_free(struct recording_consumer *consumer)
{
    if (!consumer)
        return;
    dbus_listener_free(consumer->listener);
    g_ptr_array_unref(consumer->calls);
    if (consumer->kept >= 0)
        close(consumer->kept);
    g_free(consumer);
}

void recording_consumer_keep(struct recording_consumer *consumer, bool keeps)
{
    g_mutex_lock(&consumer->lock);
    consumer->keeps = keeps;
    g_mutex_unlock(&consumer->lock);
}

int recording_consumer_take(struct recording_consumer *consumer)
{
    g_mutex_lock(&consumer->lock);
    const int fd = consumer->kept;
    consumer->kept = -1;
    g_mutex_unlock(&consumer->lock);
    return fd;
}

bool recording_consumer_closed(struct recording_consumer *consumer)
{
    return dbus_listener_closed(consumer->listener);
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
    return dbus_listener_ask(
        consumer->listener, "SetUIInfo",
        g_variant_new("(qqiiuu)", (guint16)width_mm, (guint16)height_mm, 0, 0, width, height));
}
