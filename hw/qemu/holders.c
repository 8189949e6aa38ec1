/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/holders.h"

#include "qemu/osdep.h"

#define LOOK_LIMIT_US (50 * G_TIME_SPAN_MILLISECOND)
#define MAX_NAMED 8

/* The file's inode when it is a dma-buf (drivers/dma-buf/dma-buf.c, dma_buf_show_fdinfo()), else 0: inode
 * numbers are only unique within a file system. */
static uint64_t dmabuf_inode(const char *fdinfo, const char *fd)
{
    g_autofree char *path = g_build_filename(fdinfo, fd, NULL);
    char text[512];
    const char *inode;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, text, sizeof(text) - 1);

    if (file >= 0)
        close(file);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    inode = strstr(text, "\nino:");
    return inode && strstr(text, "\nexp_name:") ? strtoull(inode + strlen("\nino:"), NULL, 10) : 0;
}

static bool is_one_of(uint64_t inode, const uint64_t *inodes, size_t nr_inodes)
{
    for (size_t i = 0; i < nr_inodes; i++) {
        if (inode && inodes[i] == inode)
            return true;
    }
    return false;
}

/* This process has one of each, which is no news; more are messages under way, or imports of its displays. */
static unsigned beyond_our_own(pid_t pid, unsigned count, size_t nr_inodes)
{
    if (pid != getpid())
        return count;
    return count > nr_inodes ? count - (unsigned)nr_inodes : 0;
}

int64_t vram_holders_deadline(void)
{
    return g_get_monotonic_time() + LOOK_LIMIT_US;
}

unsigned vram_holders_count(pid_t pid, const uint64_t *inodes, size_t nr_inodes, int64_t end)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fdinfo", (int)pid);
    g_autoptr(GDir) files = pid > 0 ? g_dir_open(path, 0, NULL) : NULL;
    const char *fd;
    unsigned count = 0;

    while (files && g_get_monotonic_time() < end && (fd = g_dir_read_name(files)))
        count += is_one_of(dmabuf_inode(path, fd), inodes, nr_inodes);
    return beyond_our_own(pid, count, nr_inodes);
}

static void name(GString *clause, pid_t pid, unsigned count)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int)pid);
    g_autofree char *comm = NULL;

    if (g_file_get_contents(path, &comm, NULL, NULL))
        g_strchomp(comm);
    g_string_append_printf(clause, "%sprocess %d (%s) has %u descriptor%s", clause->len ? ", " : "", (int)pid,
                           comm ? comm : "?", count, count == 1 ? "" : "s");
}

char *vram_holders_describe(const uint64_t *inodes, size_t nr_inodes)
{
    const int64_t end = vram_holders_deadline();
    GString *clause = g_string_new(NULL);
    g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
    const char *entry = NULL;
    unsigned named = 0;

    while (processes && (entry = g_dir_read_name(processes))) {
        pid_t pid = (pid_t)atoi(entry);
        unsigned count = vram_holders_count(pid, inodes, nr_inodes, end);

        if (count && ++named <= MAX_NAMED)
            name(clause, pid, count);
        if (named > MAX_NAMED || g_get_monotonic_time() >= end)
            break;
    }
    if (!named)
        g_string_append(clause, "no process that can be seen has a descriptor");
    if (entry)
        g_string_append(clause, " (not all processes were looked at)");
    return g_string_free(clause, FALSE);
}
