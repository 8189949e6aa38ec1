/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Cutting off: a display in another process was told to let go of a buffer, was given let-go-ms, and has
 * not. Its connection is ended: it is handed nothing any more and nobody waits for it again, until it comes
 * back. What it still holds is the kernel's affair.
 *
 * QEMU's D-Bus display keeps its listeners to itself, and QEMU's file with their structure is not a header.
 * But GObject knows what is an object of which class: the listener is found around its
 * DisplayChangeListener, and the connection among its members, by their class pointers. A socket is shut
 * down, since closing a connection of GDBus waits for what it is writing.
 *
 * Who hangs, from the surest sign to the weakest: whose process has a descriptor of the buffer, or has bytes
 * that it has not read (SIOCOUTQ); of the others, who does not answer a question at once, which it would have
 * to take up after the word to let go: the kernel waits for each of them. Where none of that tells, as with
 * an import that somebody forgot, all are cut off.
 */
#include "hw/qemu/vram-gpu.h"

#include "hw/qemu/holders.h"

#include <gio/gio.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

/* From the listener object's start to its DisplayChangeListener: 88 bytes in QEMU 10.0. */
#define MAX_WORDS_BEFORE 64
#define MAX_CONSUMERS 32
/* QEMU keeps those whose client has gone. */
#define MAX_LISTENERS 1024
/* Displays have had let-go-ms before, so they are asked for no longer than a busy machine needs. */
#define QUESTION_LIMIT_MS 250

typedef struct Consumer {
    GDBusConnection *connection; /* borrowed */
    int socket;                  /* QEMU's */
    pid_t pid;                   /* 0: of another PID namespace */
    int unread;                  /* bytes */
    unsigned descriptors;        /* of the buffer */
    bool silent;                 /* has not answered */
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

/* There is nothing to cut off. */
static bool has_ended(GDBusConnection *connection, int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};

    return g_dbus_connection_is_closed(connection) || poll(&end, 1, 0) > 0;
}

static Consumer consumer_of(GDBusConnection *connection, int fd)
{
    Consumer consumer = {.connection = connection, .socket = fd};
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
        consumer.pid = peer.pid;
    if (ioctl(fd, SIOCOUTQ, &consumer.unread) < 0)
        consumer.unread = 0;
    return consumer;
}

static unsigned find_consumers(const VramGPU *vg, Consumer found[MAX_CONSUMERS])
{
    DisplayChangeListener *listeners[MAX_LISTENERS];
    unsigned count = 0;

    for (uint32_t i = 0; i < vg->parent_obj.parent_obj.conf.max_outputs; i++) {
        unsigned n = vram_console_listeners(vg->parent_obj.parent_obj.scanout[i].con, listeners,
                                            ARRAY_SIZE(listeners));

        for (unsigned k = 0; k < n && count < MAX_CONSUMERS; k++) {
            GDBusConnection *connection =
                g_str_has_prefix(listeners[k]->ops->dpy_name, "dbus") ? connection_of(listeners[k]) : NULL;
            int fd = connection ? socket_of(connection) : -1;

            if (fd >= 0 && !has_ended(connection, fd))
                found[count++] = consumer_of(connection, fd);
        }
    }
    return count;
}

static bool is_guilty(const Consumer *consumer)
{
    return consumer->unread > 0 || consumer->descriptors > 0 || consumer->silent;
}

/* --- the question */

typedef struct Question {
    Consumer *consumer;
    unsigned *waiting; /* questions without an answer */
} Question;

static void answered(GObject *source, GAsyncResult *result, gpointer opaque)
{
    Question *question = opaque;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) value = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    /* Also one that says that there is no such property. */
    question->consumer->silent = !value && !g_dbus_error_is_remote_error(error);
    --*question->waiting;
    g_free(question);
}

/* Something harmless, which a client answers where it takes calls, one after another. */
static void ask(Consumer *consumer, unsigned *waiting)
{
    Question *question = g_new(Question, 1);

    *question = (Question){consumer, waiting};
    ++*waiting;
    g_dbus_connection_call(consumer->connection, NULL, "/org/qemu/Display1/Listener",
                           "org.freedesktop.DBus.Properties", "Get",
                           g_variant_new("(ss)", "org.qemu.Display1.Listener", "Interfaces"), NULL,
                           G_DBUS_CALL_FLAGS_NO_AUTO_START, QUESTION_LIMIT_MS, NULL, answered, question);
}

/* Those of whom nothing is known. The answers, or that there is none, come to a loop of our own: the main one
 * waits for us. */
static void ask_the_rest(Consumer *consumers, unsigned count)
{
    GMainContext *context = g_main_context_new();
    unsigned waiting = 0;

    g_main_context_push_thread_default(context);
    for (unsigned i = 0; i < count; i++) {
        if (!is_guilty(&consumers[i]))
            ask(&consumers[i], &waiting);
    }
    while (waiting)
        g_main_context_iteration(context, TRUE);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
}

/* --- the verdict */

static bool any_guilty(const Consumer *consumers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (is_guilty(&consumers[i]))
            return true;
    }
    return false;
}

static bool find_guilty(Consumer *consumers, unsigned count, const uint64_t *inodes, size_t nr_inodes)
{
    for (unsigned i = 0; i < count; i++)
        consumers[i].descriptors = vram_holders_count(consumers[i].pid, inodes, nr_inodes);
    ask_the_rest(consumers, count);
    return any_guilty(consumers, count);
}

static void log_holders(VramGPU *vg, const uint64_t *inodes, size_t nr_inodes, unsigned count)
{
    g_autofree char *who = vram_holders_describe(inodes, nr_inodes);
    g_autofree char *sentence =
        g_strdup_printf("of %zu dma-buf%s that somebody holds, %s; %u display%s on D-Bus", nr_inodes,
                        nr_inodes == 1 ? "" : "s", who, count, count == 1 ? "" : "s");

    vrl_table_log(vg->table, VRL_LOG_HOST, sentence);
}

static void cut(VramGPU *vg, const Consumer *consumer)
{
    g_autofree char *sentence = g_strdup_printf(
        "the display of process %d is cut off: it was told to let go of a buffer; after %u ms it has %u "
        "descriptors of it, %d bytes of what it was sent are unread%s",
        (int)consumer->pid, vg->let_go_ms, consumer->descriptors, consumer->unread,
        consumer->silent      ? ", and it does not answer"
        : is_guilty(consumer) ? ""
                              : ", and nothing tells which display it is");

    vrl_table_log(vg->table, VRL_LOG_HOST, sentence);
    shutdown(consumer->socket, SHUT_RDWR);
}

uint32_t vram_cut_off(void *opaque, const uint64_t *inodes, size_t nr_inodes)
{
    VramGPU *vg = opaque;
    Consumer consumers[MAX_CONSUMERS];
    unsigned count = find_consumers(vg, consumers);
    bool known = find_guilty(consumers, count, inodes, nr_inodes);
    uint32_t done = 0;

    log_holders(vg, inodes, nr_inodes, count);
    for (unsigned i = 0; i < count; i++) {
        if (known && !is_guilty(&consumers[i]))
            continue;
        cut(vg, &consumers[i]);
        done++;
    }
    return done;
}
