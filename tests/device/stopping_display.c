/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stopping_display.h"

#include "dbus_listener.h"

#include <signal.h>
#include <unistd.h>

#define FLIPS_BEFORE_STOP 3

struct stopping_display {
    enum stop_point point;
    int frames;   /* Scanout and ScanoutDMABUF */
    gboolean did; /* it has stopped once */
};

static void stop_at(struct stopping_display *display, enum stop_point point)
{
    if (display->point != point || display->did)
        return;
    display->did = TRUE;
    kill(getpid(), SIGSTOP);
}

/* Without GL an update of the whole screen is another Scanout. */
static gboolean is_update(const struct stopping_display *display, const char *member)
{
    return g_str_has_prefix(member, "Update") || (g_str_equal(member, "Scanout") && display->frames > 1);
}

static GDBusMessage *take(GDBusConnection *connection, GDBusMessage *message, gboolean incoming,
                          gpointer self)
{
    struct stopping_display *display = self;
    const char *member = dbus_listener_call(message, incoming);

    if (!member)
        return message;
    stop_at(display, STOP_AT_FIRST_FRAME);
    if (g_str_has_prefix(member, "Scanout"))
        display->frames++;
    if (is_update(display, member))
        stop_at(display, STOP_IN_UPDATE);
    dbus_listener_answer(connection, message);
    if (display->frames >= FLIPS_BEFORE_STOP)
        stop_at(display, STOP_AFTER_FLIP);
    g_object_unref(message);
    return NULL;
}

void stopping_display_run(int display, enum stop_point point)
{
    struct stopping_display self = {.point = point};
    struct dbus_listener *listener = dbus_listener_new(display, 0, take, &self);

    while (listener && !dbus_listener_closed(listener))
        g_usleep(20000);
    dbus_listener_free(listener);
}
