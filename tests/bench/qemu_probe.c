/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into QEMU: counts allocations, told apart by who asks, and times VFIO's export.
 *
 * Who asks: the nearest frame that is no allocator's (this file, libc, GLib, libstdc++). An allocation of
 * QEMU's in a function that the plugin has called is QEMU's; one of GLib's or of operator new for the plugin
 * is the plugin's.
 */
#include "qemu_probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

#define MAX_FRAMES 24
#define MAX_OURS 256

static struct qemu_probe *probe;
static __thread bool inside __attribute__((tls_model("initial-exec")));

/* What is ours and has not been given back. */
static struct {
    void *memory;
    size_t size;
} kept[MAX_OURS];

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("VRAMLINK_PROBE");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *frames[2];
    void *page;

    if (fd < 0)
        return;
    page = mmap(NULL, sizeof(*probe), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    inside = true;
    backtrace(frames, 2); /* loads the unwinder, which allocates */
    inside = false;
    if (page != MAP_FAILED)
        probe = page;
}

static bool is_allocators(const char *name)
{
    static const char *const allocators[] = {"libqemu-probe", "libc.so", "libglib-2.0", "libstdc++"};

    for (size_t i = 0; i < sizeof(allocators) / sizeof(allocators[0]); i++) {
        if (strstr(name, allocators[i]))
            return true;
    }
    return false;
}

/* True when the plugin asks; *where is the place in it. */
static bool plugin_asks(Dl_info *where)
{
    void *frames[MAX_FRAMES];
    const int count = backtrace(frames, MAX_FRAMES);

    for (int i = 1; i < count; i++) {
        if (!dladdr(frames[i], where) || !where->dli_fname)
            return false;
        if (is_allocators(where->dli_fname))
            continue;
        return strstr(where->dli_fname, "qemu-vramlink") != NULL;
    }
    return false;
}

static void keep(void *memory, size_t size)
{
    for (size_t i = 0; i < MAX_OURS; i++) {
        if (kept[i].memory)
            continue;
        kept[i].memory = memory;
        kept[i].size = size;
        probe->ours_bytes += size;
        return;
    }
}

static void *count(void *memory, size_t size)
{
    Dl_info where;

    if (!probe || !probe->on || inside || !memory)
        return memory;
    inside = true;
    if (plugin_asks(&where)) {
        if (!probe->ours++)
            snprintf(probe->first_ours, sizeof(probe->first_ours), "%s (%zu bytes)",
                     where.dli_sname ? where.dli_sname : where.dli_fname, size);
        keep(memory, size);
    } else {
        probe->others++;
    }
    inside = false;
    return memory;
}

static void forget(void *memory)
{
    if (!probe || !memory)
        return;
    for (size_t i = 0; i < MAX_OURS; i++) {
        if (kept[i].memory != memory)
            continue;
        probe->ours_bytes -= kept[i].size;
        kept[i].memory = NULL;
    }
}

void *malloc(size_t size)
{
    return count(__libc_malloc(size), size);
}

void *calloc(size_t number, size_t size)
{
    return count(__libc_calloc(number, size), number * size);
}

void *realloc(void *memory, size_t size)
{
    forget(memory);
    return count(__libc_realloc(memory, size), size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return count(__libc_memalign(alignment, size), size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    *memory = count(__libc_memalign(alignment, size), size);
    return *memory ? 0 : ENOMEM;
}

void free(void *memory)
{
    forget(memory);
    __libc_free(memory);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;
    uint64_t before;
    long result;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    before = now_ns();
    result = syscall(SYS_ioctl, fd, request, argument);
    if (probe && request == VFIO_DEVICE_FEATURE) {
        probe->exports++;
        probe->last_export_ns = now_ns() - before;
    }
    return (int)result;
}
