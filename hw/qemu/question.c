/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/question.h"

typedef struct Asked {
    VramQuestion *question;
    GDBusConnection *connection; /* NULL: not asked */
    guint filter;
    volatile guint32 serial; /* set before the message leaves */
    bool answered;
} Asked;

/* Filters run in GDBus's thread, and may do so for a moment after they have been removed: each holds a
 * reference. */
struct VramQuestion {
    gatomicrefcount references;
    GMutex mutex;
    GCond answer;
    Asked asked[VRAM_MAX_DBUS_DISPLAYS];
};

VramQuestion *vram_question_new(void)
{
    VramQuestion *question = g_new0(VramQuestion, 1);

    g_atomic_ref_count_init(&question->references);
    g_mutex_init(&question->mutex);
    g_cond_init(&question->answer);
    return question;
}

static void unref(VramQuestion *question)
{
    if (!g_atomic_ref_count_dec(&question->references))
        return;
    g_mutex_clear(&question->mutex);
    g_cond_clear(&question->answer);
    g_free(question);
}

static void filter_gone(gpointer opaque)
{
    unref(((Asked *)opaque)->question);
}

/* GDBus's thread. */
static GDBusMessage *see_message(GDBusConnection *connection, GDBusMessage *message, gboolean incoming,
                                 gpointer opaque)
{
    Asked *asked = opaque;

    if (!incoming || !g_dbus_message_get_reply_serial(message))
        return message;
    g_mutex_lock(&asked->question->mutex);
    if (g_dbus_message_get_reply_serial(message) == asked->serial) {
        asked->answered = true;
        g_cond_signal(&asked->question->answer);
    }
    g_mutex_unlock(&asked->question->mutex);
    return message;
}

void vram_question_ask(VramQuestion *question, unsigned number, GDBusConnection *connection)
{
    Asked *asked = &question->asked[number];
    g_autoptr(GDBusMessage) message = g_dbus_message_new_method_call(
        NULL, "/org/qemu/Display1/Listener", "org.freedesktop.DBus.Properties", "Get");

    g_dbus_message_set_body(message, g_variant_new("(ss)", "org.qemu.Display1.Listener", "Interfaces"));
    g_atomic_ref_count_inc(&question->references);
    asked->question = question;
    asked->connection = g_object_ref(connection);
    asked->filter = g_dbus_connection_add_filter(connection, see_message, asked, filter_gone);
    g_dbus_connection_send_message(connection, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, &asked->serial, NULL);
}

static bool all_answered(const VramQuestion *question)
{
    for (unsigned i = 0; i < VRAM_MAX_DBUS_DISPLAYS; i++) {
        const Asked *asked = &question->asked[i];

        if (asked->connection && !asked->answered && !g_dbus_connection_is_closed(asked->connection))
            return false;
    }
    return true;
}

void vram_question_wait(VramQuestion *question, unsigned limit_ms)
{
    const int64_t end = g_get_monotonic_time() + limit_ms * G_TIME_SPAN_MILLISECOND;

    g_mutex_lock(&question->mutex);
    while (!all_answered(question) && g_cond_wait_until(&question->answer, &question->mutex, end))
        continue;
    g_mutex_unlock(&question->mutex);
}

bool vram_question_answered(VramQuestion *question, unsigned number)
{
    bool answered;

    g_mutex_lock(&question->mutex);
    answered = question->asked[number].answered;
    g_mutex_unlock(&question->mutex);
    return answered;
}

void vram_question_free(VramQuestion *question)
{
    for (unsigned i = 0; i < VRAM_MAX_DBUS_DISPLAYS; i++) {
        Asked *asked = &question->asked[i];

        if (!asked->connection)
            continue;
        g_dbus_connection_remove_filter(asked->connection, asked->filter);
        g_object_unref(asked->connection);
    }
    unref(question);
}
