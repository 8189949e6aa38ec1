/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "checking_consumer.h"

#include "dbus_listener.h"
#include "vfio_files.h"

#include <gio/gunixfdlist.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAME_BYTES ((size_t)STORM_PIXELS * 4)
#define FOURCC_XR24 0x34325258u

struct checker {
    const char *device;
    struct storm_board *board;
    int dmabuf;   /* -1: none */
    int importer; /* -1: the dma-buf can be mapped */
    char content[64];
    uint32_t pixels[STORM_PIXELS];
    /* as of the moment when the frame was handed over */
    uint32_t late;
};

static void let_go(struct checker *c)
{
    if (c->importer >= 0)
        close(c->importer);
    if (c->dmabuf >= 0)
        close(c->dmabuf);
    c->importer = c->dmabuf = -1;
}

static bool tell(int importer, const char *command)
{
    return write(importer, command, strlen(command)) == (ssize_t)strlen(command);
}

/* ENODEV: the memory has gone meanwhile, which is no error. */
static void attach(struct checker *c)
{
    char command[80], number[16] = "";

    c->importer = open("/dev/vram-importer", O_RDWR | O_CLOEXEC);
    g_snprintf(command, sizeof(command), "attach %d %s eager", c->dmabuf, c->device);
    if (c->importer >= 0 && tell(c->importer, command) && tell(c->importer, "map") &&
        read(c->importer, number, sizeof(number) - 1) > 0) {
        g_snprintf(c->content, sizeof(c->content), "/sys/kernel/debug/vram-importer/%s/content",
                   g_strstrip(number));
        return;
    }
    if (errno != ENODEV)
        c->board->error = errno;
    let_go(c);
}

/* ScanoutDMABUF(h dmabuf, u width, u height, u stride, u fourcc, t modifier, b y0_top) */
static void take(struct checker *c, GDBusMessage *message)
{
    uint32_t width, height, fourcc;

    let_go(c);
    g_variant_get(g_dbus_message_get_body(message), "(huuuutb)", NULL, &width, &height, NULL, &fourcc, NULL,
                  NULL);
    if (width != STORM_WIDTH || height != STORM_HEIGHT || fourcc != FOURCC_XR24)
        return; /* a surface of QEMU's own */
    c->dmabuf = g_unix_fd_list_get(g_dbus_message_get_unix_fd_list(message), 0, NULL);
    if (fd_is_vfio_dmabuf(c->dmabuf))
        attach(c);
}

static bool read_through_importer(struct checker *c)
{
    char *at = (char *)c->pixels;
    size_t got = 0;
    const int file = open(c->content, O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? -1 : 0;

    while (file >= 0 && got < FRAME_BYTES && (n = read(file, at + got, FRAME_BYTES - got)) > 0)
        got += (size_t)n;
    if (n < 0)
        c->board->error = errno;
    if (file >= 0)
        close(file);
    return got == FRAME_BYTES;
}

static bool read_through_mapping(struct checker *c)
{
    void *map = mmap(NULL, FRAME_BYTES, PROT_READ, MAP_SHARED, c->dmabuf, 0);

    if (map == MAP_FAILED) {
        c->board->error = errno;
        return false;
    }
    memcpy(c->pixels, map, FRAME_BYTES);
    munmap(map, FRAME_BYTES);
    return true;
}

/* The guest need not wait for us any longer than half a second; what it paints after that is no fault. */
static bool had_its_time(const struct checker *c)
{
    const int64_t since = __atomic_load_n(&c->board->waiting_since, __ATOMIC_SEQ_CST);

    return __atomic_load_n(&c->board->late, __ATOMIC_SEQ_CST) != c->late ||
           (since != 0 && g_get_monotonic_time() - since > STORM_LATE_US);
}

static void count(uint32_t *counter)
{
    __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

static void look(struct checker *c)
{
    struct storm_board *board = c->board;
    const uint32_t floor = __atomic_load_n(&board->floor, __ATOMIC_SEQ_CST);
    uint32_t number = 0;

    if (c->dmabuf < 0)
        return;
    if (!(c->importer >= 0 ? read_through_importer(c) : read_through_mapping(c))) {
        count(&board->gone);
    } else if (storm_whole(c->pixels, &number) && number >= floor) {
        count(&board->good);
    } else if (had_its_time(c)) {
        count(&board->expired);
    } else {
        board->wrong_number = number;
        board->wrong_floor = floor;
        board->wrong_first_pixel = c->pixels[0];
        count(&board->wrong);
    }
}

static GDBusMessage *on_message(GDBusConnection *connection, GDBusMessage *message, gboolean incoming,
                                gpointer self)
{
    struct checker *c = self;
    const char *member = dbus_listener_call(message, incoming);

    if (!member)
        return message;
    if (g_str_equal(member, "ScanoutDMABUF")) {
        take(c, message);
        c->late = __atomic_load_n(&c->board->late, __ATOMIC_SEQ_CST);
    } else if (g_str_equal(member, "UpdateDMABUF")) {
        look(c);
    } else if (g_str_equal(member, "Disable") || g_str_equal(member, "Scanout")) {
        let_go(c);
    }
    dbus_listener_answer(connection, message);
    g_object_unref(message);
    return NULL;
}

void checking_consumer_run(int display, const char *device, struct storm_board *board)
{
    struct checker *c = g_new0(struct checker, 1);

    *c = (struct checker){.device = device, .board = board, .dmabuf = -1, .importer = -1};
    const struct dbus_listener *listener = dbus_listener_new(display, 0, on_message, c);

    if (!listener)
        return;
    /* Who holds a buffer for too long is cut off; another one is started then. */
    while (!dbus_listener_closed(listener))
        g_usleep(50 * 1000);
}
