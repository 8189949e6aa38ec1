/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Cutting off: a display in another process was told to let go of a buffer, was given let-go-ms, and has
 * not. Its connection is ended: it is handed nothing any more and nobody waits for it again, until it comes
 * back. What it still holds is the kernel's affair.
 *
 * Who hangs, from the surest sign to the weakest: whose process has a descriptor of the buffer, or has bytes
 * that it has not read (SIOCOUTQ); of the others, who does not answer a question in time, which it would have
 * to take up after the word to let go (question.h). Where the references are certain and none of that tells,
 * as with an import that somebody forgot, all are cut off, unless a process lives on whose connection was
 * ended before and that may hold it. Where this process imports the buffer itself, references say nothing,
 * and only those are cut off that a sign speaks against.
 */
#include "hw/qemu/console.h"
#include "hw/qemu/dbus-displays.h"
#include "hw/qemu/holders.h"
#include "hw/qemu/question.h"

/* Where displays have had let-go-ms before, they are asked for no longer than a busy machine needs. */
#define QUESTION_LIMIT_MS 250

typedef struct Consumer {
    VramDbusDisplay display;
    unsigned descriptors; /* of the buffer */
    bool silent;          /* has not answered */
} Consumer;

static bool is_guilty(const Consumer *consumer)
{
    return consumer->display.unread > 0 || consumer->descriptors > 0 || consumer->silent;
}

static unsigned find_consumers(const VramGPU *vg, Consumer found[VRAM_MAX_DBUS_DISPLAYS])
{
    VramDbusDisplay displays[VRAM_MAX_DBUS_DISPLAYS];
    unsigned count = vram_dbus_displays(vg, displays);

    for (unsigned i = 0; i < count; i++)
        found[i] = (Consumer){.display = displays[i]};
    return count;
}

/* Asks those of whom nothing is known, or all. */
static void ask(Consumer *consumers, unsigned count, bool all, unsigned limit_ms)
{
    VramQuestion *question = vram_question_new();

    for (unsigned i = 0; i < count; i++) {
        if (all || !is_guilty(&consumers[i]))
            vram_question_ask(question, i, consumers[i].display.connection);
    }
    vram_question_wait(question, limit_ms);
    for (unsigned i = 0; i < count; i++) {
        if (all || !is_guilty(&consumers[i]))
            consumers[i].silent = !vram_question_answered(question, i);
    }
    vram_question_free(question);
}

static void look_at_descriptors(Consumer *consumers, unsigned count, const struct vrl_holders *holders)
{
    const int64_t end = vram_holders_deadline();

    for (unsigned i = 0; i < count; i++)
        consumers[i].descriptors =
            vram_holders_count(consumers[i].display.pid, holders->inodes, holders->nr_inodes, end);
}

/* True when a sign speaks against one of them. */
static bool find_guilty(const VramGPU *vg, Consumer *consumers, unsigned count,
                        const struct vrl_holders *holders)
{
    if (holders->certain) {
        look_at_descriptors(consumers, count, holders);
        ask(consumers, count, false, QUESTION_LIMIT_MS);
    } else {
        /* They were told just now: each has its time, and is looked at then. */
        ask(consumers, count, true, holders->limit_ms);
        for (unsigned i = 0; i < count; i++)
            consumers[i].display.unread = consumers[i].silent ? consumers[i].display.unread : 0;
    }
    for (unsigned i = 0; i < count; i++) {
        if (is_guilty(&consumers[i]))
            return true;
    }
    return false;
}

static void log_holders(VramGPU *vg, const struct vrl_holders *holders, unsigned count)
{
    g_autofree char *who = vram_holders_describe(holders->inodes, holders->nr_inodes);
    g_autofree char *sentence =
        g_strdup_printf("of %zu dma-buf%s that somebody holds, %s; %u display%s on D-Bus", holders->nr_inodes,
                        holders->nr_inodes == 1 ? "" : "s", who, count, count == 1 ? "" : "s");

    vrl_table_log(vg->table, VRL_LOG_HOST, sentence);
}

static void cut(VramGPU *vg, const Consumer *consumer)
{
    g_autofree char *sentence = g_strdup_printf(
        "the display of process %d is cut off: it was told to let go of a buffer; after %u ms it has %u "
        "descriptors of it, %d bytes of what it was sent are unread%s",
        (int)consumer->display.pid, vg->let_go_ms, consumer->descriptors, consumer->display.unread,
        consumer->silent      ? ", and it does not answer"
        : is_guilty(consumer) ? ""
                              : ", and nothing tells which display it is");

    vrl_table_log(vg->table, VRL_LOG_HOST, sentence);
    vram_dbus_shut(&consumer->display);
}

/* Nothing speaks against the displays that there are, and something against one that there was. */
static bool is_an_old_one(VramGPU *vg, const Consumer *consumers, unsigned count)
{
    VramDbusDisplay displays[VRAM_MAX_DBUS_DISPLAYS];
    g_autofree char *sentence = NULL;
    pid_t suspect;

    for (unsigned i = 0; i < count; i++)
        displays[i] = consumers[i].display;
    suspect = vram_dbus_suspect(displays, count);
    if (!suspect)
        return false;
    sentence = g_strdup_printf(
        "process %d, which was cut off before, lives and may hold it: no display is cut off", (int)suspect);
    vrl_table_log(vg->table, VRL_LOG_HOST, sentence);
    return true;
}

uint32_t vram_cut_off(void *opaque, const struct vrl_holders *holders)
{
    VramGPU *vg = opaque;
    Consumer consumers[VRAM_MAX_DBUS_DISPLAYS];
    unsigned count = find_consumers(vg, consumers);
    bool known = find_guilty(vg, consumers, count, holders);
    uint32_t done = 0;

    if (!holders->certain && !known)
        return 0;
    log_holders(vg, holders, count);
    if (!known && is_an_old_one(vg, consumers, count))
        return 0;
    for (unsigned i = 0; i < count; i++) {
        if (known && !is_guilty(&consumers[i]))
            continue;
        cut(vg, &consumers[i]);
        done++;
    }
    return done;
}
