/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/dbus-displays.h"
#include "hw/qemu/console.h"

#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* From the listener object's start to its DisplayChangeListener: 88 bytes in QEMU 10.0. */
#define MAX_WORDS_BEFORE 64
/* QEMU keeps those whose client has gone. */
#define MAX_LISTENERS 1024

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

/* Where the members of a listener lie, in words before its DisplayChangeListener; 0: not known yet. */
typedef struct Layout {
    int object, connection;
} Layout;

static bool find_layout(DisplayChangeListener *dcl, gpointer listener, gpointer connection, Layout *layout)
{
    gpointer *at = (gpointer *)dcl;
    int words = 0;

    while (words < MAX_WORDS_BEFORE && word_at(at - words) != listener)
        words++;
    if (words == MAX_WORDS_BEFORE)
        return false;
    for (int i = words - 1; i > 0; i--) {
        gpointer member = at[-i];

        if ((uintptr_t)member % sizeof(gpointer) == 0 && word_at(member) == connection) {
            *layout = (Layout){words, i};
            return true;
        }
    }
    return false;
}

static GDBusConnection *connection_of(DisplayChangeListener *dcl)
{
    static Layout layout;
    gpointer listener = class_named("DBusDisplayListener"), connection = class_named("GDBusConnection");
    gpointer *at = (gpointer *)dcl, found;

    if (!listener || !connection)
        return NULL;
    if (!layout.object && !find_layout(dcl, listener, connection, &layout))
        return NULL;
    if (at[-layout.object] != listener)
        return NULL;
    found = at[-layout.connection];
    return found && word_at(found) == connection ? found : NULL;
}

static int socket_of(GDBusConnection *connection)
{
    GIOStream *stream = g_dbus_connection_get_stream(connection);
    GSocket *socket =
        G_IS_SOCKET_CONNECTION(stream) ? g_socket_connection_get_socket(G_SOCKET_CONNECTION(stream)) : NULL;

    return socket ? g_socket_get_fd(socket) : -1;
}

/* QEMU keeps displays whose other end is gone: nobody is there to answer. */
static bool has_ended(GDBusConnection *connection, int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};

    return g_dbus_connection_is_closed(connection) || poll(&end, 1, 0) > 0;
}

static int unread_of(int fd)
{
    int bytes = 0;

    return ioctl(fd, SIOCOUTQ, &bytes) < 0 ? 0 : bytes;
}

static VramDbusDisplay describe(GDBusConnection *connection, int fd)
{
    VramDbusDisplay display = {.connection = connection, .socket = fd, .unread = unread_of(fd)};
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
        display.pid = peer.pid;
    return display;
}

static bool is_dbus(const DisplayChangeListener *dcl)
{
    return !strcmp(dcl->ops->dpy_name, "dbus") || !strcmp(dcl->ops->dpy_name, "dbus-gl");
}

unsigned vram_dbus_displays(const VramGPU *vg, VramDbusDisplay found[VRAM_MAX_DBUS_DISPLAYS])
{
    DisplayChangeListener *listeners[MAX_LISTENERS];
    unsigned count = 0;

    for (uint32_t i = 0; i < vg->parent_obj.parent_obj.conf.max_outputs; i++) {
        const QemuConsole *con = vg->parent_obj.parent_obj.scanout[i].con;
        unsigned n = con ? vram_console_listeners(con, listeners, ARRAY_SIZE(listeners)) : 0;

        for (unsigned k = 0; k < n && count < VRAM_MAX_DBUS_DISPLAYS; k++) {
            GDBusConnection *connection = is_dbus(listeners[k]) ? connection_of(listeners[k]) : NULL;
            int fd = connection ? socket_of(connection) : -1;

            if (fd >= 0 && !has_ended(connection, fd))
                found[count++] = describe(connection, fd);
        }
    }
    return count;
}

bool vram_dbus_behind(VramGPU *vg, uint32_t scanout_id)
{
    DisplayChangeListener *listeners[VRAM_MAX_DBUS_DISPLAYS];
    unsigned n = vram_console_listeners(vg->parent_obj.parent_obj.scanout[scanout_id].con, listeners,
                                        ARRAY_SIZE(listeners));

    for (unsigned k = 0; k < n; k++) {
        GDBusConnection *connection =
            !strcmp(listeners[k]->ops->dpy_name, "dbus") ? connection_of(listeners[k]) : NULL;
        int fd = connection ? socket_of(connection) : -1;

        if (fd >= 0 && unread_of(fd) > 0 && !has_ended(connection, fd))
            return true;
    }
    return false;
}

/* Processes whose connection was ended; the oldest goes first. */
#define MAX_SUSPECTS 32
static pid_t suspects[MAX_SUSPECTS];
static unsigned next_suspect;

void vram_dbus_shut(const VramDbusDisplay *display)
{
    shutdown(display->socket, SHUT_RDWR);
    suspects[next_suspect++ % MAX_SUSPECTS] = display->pid;
}

static bool is_back(pid_t pid, const VramDbusDisplay *displays, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (displays[i].pid == pid)
            return true;
    }
    return false;
}

pid_t vram_dbus_suspect(const VramDbusDisplay *displays, unsigned count)
{
    for (unsigned i = 0; i < MAX_SUSPECTS; i++) {
        const pid_t pid = suspects[i];

        if (pid <= 0)
            continue;
        if (is_back(pid, displays, count) || (kill(pid, 0) < 0 && errno == ESRCH))
            suspects[i] = 0;
        else
            return pid;
    }
    return 0;
}
