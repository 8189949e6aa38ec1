/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Cutting off: a display in another process was told to let go of a buffer, was given half a second, and has
 * not. Its connection is ended: it is handed nothing any more and nobody waits for it again, until it comes
 * back. What it still holds is the kernel's affair.
 *
 * QEMU's D-Bus display keeps its listeners to itself, and QEMU's file with their structure is not a header.
 * But GObject knows what is an object of which class: the listener is found around its
 * DisplayChangeListener, and the connection among its members, by their class pointers. A socket is shut
 * down, since closing a connection of GDBus waits for what it is writing.
 *
 * Who hangs: the kernel counts the bytes that the other side has not read (SIOCOUTQ). Where everybody has
 * read everything and one still holds the buffer, it cannot be told which: then all are cut off.
 */
#include "hw/qemu/vram-gpu.h"

#include <gio/gio.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

/* From the listener object's start to its DisplayChangeListener: 88 bytes in QEMU 10.0. */
#define MAX_WORDS_BEFORE 64
#define MAX_LISTENERS 32

typedef struct Consumer {
    int socket; /* QEMU's */
    int unread; /* bytes */
} Consumer;

/* The class pointer that objects of the class begin with; NULL: there is none of them. */
static gpointer class_named(const char *name)
{
    GType type = g_type_from_name(name);

    return type ? g_type_class_peek(type) : NULL;
}

/* The word at @address, which may lead nowhere. */
static gpointer word_at(gpointer address)
{
    gpointer word = NULL;
    struct iovec to = {&word, sizeof(word)}, from = {address, sizeof(word)};

    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)sizeof(word) ? word : NULL;
}

static GDBusConnection *connection_of(DisplayChangeListener *dcl)
{
    gpointer listener = class_named("DBusDisplayListener"), connection = class_named("GDBusConnection");
    gpointer *at = (gpointer *)dcl;
    int words = 0;

    if (!listener || !connection)
        return NULL;
    while (words < MAX_WORDS_BEFORE && word_at(at - words) != listener)
        words++;
    for (at -= words; words < MAX_WORDS_BEFORE && at < (gpointer *)dcl; at++) {
        if ((uintptr_t)*at % sizeof(gpointer) == 0 && word_at(*at) == connection)
            return *at;
    }
    return NULL;
}

static int socket_of(GDBusConnection *connection)
{
    GIOStream *stream = g_dbus_connection_get_stream(connection); /* borrowed */

    if (!g_type_check_instance_is_a((GTypeInstance *)stream, G_TYPE_SOCKET_CONNECTION))
        return -1;
    return g_socket_get_fd(g_socket_connection_get_socket(G_SOCKET_CONNECTION(stream)));
}

static unsigned find_consumers(const VramGPU *vg, Consumer found[MAX_LISTENERS])
{
    DisplayChangeListener *listeners[MAX_LISTENERS];
    unsigned count = 0;

    for (uint32_t i = 0; i < vg->parent_obj.parent_obj.conf.max_outputs; i++) {
        unsigned n = vram_console_listeners(vg->parent_obj.parent_obj.scanout[i].con, listeners,
                                            ARRAY_SIZE(listeners));

        for (unsigned k = 0; k < n && count < MAX_LISTENERS; k++) {
            GDBusConnection *connection =
                g_str_has_prefix(listeners[k]->ops->dpy_name, "dbus") ? connection_of(listeners[k]) : NULL;
            int fd = connection ? socket_of(connection) : -1;

            if (fd < 0)
                continue;
            found[count].socket = fd;
            if (ioctl(fd, SIOCOUTQ, &found[count].unread) < 0)
                found[count].unread = 0;
            count++;
        }
    }
    return count;
}

static void cut(VramGPU *vg, const Consumer *consumer)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    g_autofree char *sentence = NULL;

    getsockopt(consumer->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    sentence =
        g_strdup_printf("the display of process %d is cut off: it was told to let go of a buffer and %d "
                        "bytes of what it was sent are unread after 500 ms",
                        (int)peer.pid, consumer->unread);
    vrl_table_log(vg->table, VRL_LOG_HOST, sentence);
    shutdown(consumer->socket, SHUT_RDWR);
}

uint32_t vram_cut_off(void *opaque)
{
    VramGPU *vg = opaque;
    Consumer consumers[MAX_LISTENERS];
    unsigned count = find_consumers(vg, consumers);
    uint32_t done = 0;
    bool known = false;

    for (unsigned i = 0; i < count; i++)
        known |= consumers[i].unread > 0;
    for (unsigned i = 0; i < count; i++) {
        if (known && consumers[i].unread == 0)
            continue;
        cut(vg, &consumers[i]);
        done++;
    }
    return done;
}
