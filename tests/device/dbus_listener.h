/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A listener of QEMU's D-Bus display, peer to peer: the connections, and who sees its calls. What a consumer
 * does with them is up to others. (Interface: QEMU's ui/dbus-display1.xml.)
 *
 * Thread: the filter runs on GDBus's own thread; the functions here are for one thread.
 */
#ifndef VRAMLINK_TESTS_DEVICE_DBUS_LISTENER_H
#define VRAMLINK_TESTS_DEVICE_DBUS_LISTENER_H

#include <gio/gio.h>

struct dbus_listener;

/* @display: a socket on which QEMU speaks the display protocol (add_client, protocol "@dbus-display"); taken.
 * Registers as a listener of that console; @filter sees its messages with @data. NULL, with a sentence on
 * stderr, when that fails. */
struct dbus_listener *dbus_listener_new(int display, unsigned console, GDBusMessageFilterFunction filter,
                                        void *data);
/* Says goodbye. NULL is fine. */
void dbus_listener_free(struct dbus_listener *listener);

/* Calls a method of the console. FALSE, with a sentence on stderr, when QEMU refuses. */
gboolean dbus_listener_ask(struct dbus_listener *listener, const char *method, GVariant *arguments);

/* TRUE when QEMU has hung up on the listener. */
gboolean dbus_listener_closed(const struct dbus_listener *listener);

/* The member that an incoming call to the listener names; NULL for any other message. */
const char *dbus_listener_call(GDBusMessage *message, gboolean incoming);
/* Answers such a call, if an answer is expected. */
void dbus_listener_answer(GDBusConnection *connection, GDBusMessage *call);

#endif
