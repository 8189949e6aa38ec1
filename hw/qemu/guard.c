/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * qemu-vramlink.so, what `-plugin file=` names: the load guard.
 *
 * A QEMU plugin that registers device types sees QEMU's structures from the inside, so it fits exactly one
 * build. This object uses no symbol of QEMU and no QEMU structure; therefore it loads anywhere. It reads from
 * the running program's own image which build that is, and only if it is the one that qemu-vramlink-device.so
 * was compiled for, loads that (from the directory where this object lies) and lets it register.
 *
 * The comparison runs in a constructor, before QEMU looks at qemu_plugin_version: an older QEMU refuses the
 * number and would never call qemu_plugin_install().
 *
 * How a build is known: a modular QEMU holds the name of the symbol that its modules must export,
 * "qemu_stamp<CONFIG_STAMP>" (QEMU: include/qemu/module.h, util/module.c), a hash over its version, package
 * version and configure script; and the format string of `-version` (QEMU: system/vl.c).
 */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qemu-plugin.h>

#include "hw/qemu/build-id.h"

#define VERSION_MARK "QEMU emulator version "
#define STAMP_MARK "qemu_stamp"
#define DEVICE_OBJECT "qemu-vramlink-device.so"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

struct running_build {
    char version[128]; /* "" when not found */
    char stamp[64];
};

static struct running_build running;
static bool fits;

/* Copies the text behind @mark in [start, end) up to a line end, NUL or the end of @out. */
static void find_text(const char *start, const char *end, const char *mark, char *out, size_t out_size)
{
    size_t mark_length = strlen(mark);
    const char *at = memmem(start, (size_t)(end - start), mark, mark_length);
    size_t n = 0;

    if (!at || out[0])
        return;
    for (at += mark_length; at < end && *at && *at != '\n' && n + 1 < out_size; at++)
        out[n++] = *at;
    out[n] = '\0';
}

/* The first object that dl_iterate_phdr() reports is the program itself. */
static int read_program(struct dl_phdr_info *info, size_t size, void *opaque)
{
    struct running_build *build = opaque;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers */
        const char *start = (const char *)(uintptr_t)(info->dlpi_addr + segment->p_vaddr);

        if (segment->p_type != PT_LOAD || (segment->p_flags & (PF_R | PF_W)) != PF_R)
            continue;
        find_text(start, start + segment->p_filesz, VERSION_MARK, build->version, sizeof(build->version));
        find_text(start, start + segment->p_filesz, STAMP_MARK, build->stamp, sizeof(build->stamp));
    }
    return 1;
}

static void print_refusal(void)
{
    char program[4096] = "QEMU-BINARY";
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

    if (length > 0)
        program[length] = '\0';
    fprintf(stderr,
            "vramlink: this plugin was built for QEMU %s, stamp %s, but this is QEMU %s, stamp %s; rebuild "
            "it with: "
            "hw/qemu/prepare-headers --qemu %s --source QEMU-SOURCE --out HEADERS && "
            "meson setup -Dqemu_headers=HEADERS build && ninja -C build\n",
            VRAMLINK_QEMU_FULL_VERSION, VRAMLINK_QEMU_STAMP,
            running.version[0] ? running.version : "(unknown)",
            running.stamp[0] ? running.stamp : "(none: not a modular build)", program);
}

static void __attribute__((constructor)) check_build(void)
{
    dl_iterate_phdr(read_program, &running);
    fits = strcmp(running.version, VRAMLINK_QEMU_FULL_VERSION) == 0 &&
           strcmp(running.stamp, VRAMLINK_QEMU_STAMP) == 0;
    if (!fits)
        print_refusal();
}

static void *load_device_object(void)
{
    char path[4096];
    Dl_info self;
    const char *slash;
    void *object;

    if (!dladdr(&qemu_plugin_version, &self) || !self.dli_fname)
        return NULL;
    slash = strrchr(self.dli_fname, '/');
    if (snprintf(path, sizeof(path), "%.*s" DEVICE_OBJECT, slash ? (int)(slash + 1 - self.dli_fname) : 0,
                 self.dli_fname) >= (int)sizeof(path))
        return NULL;
    object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        fprintf(stderr, "vramlink: %s\n", dlerror());
    return object;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    int (*register_types)(int argc, char **argv);
    void *object;

    (void)id;
    (void)info;
    if (!fits)
        return -1;
    object = load_device_object();
    if (!object)
        return -1;
    *(void **)&register_types = dlsym(object, "vramlink_register_types");
    return register_types ? register_types(argc, argv) : -1;
}
