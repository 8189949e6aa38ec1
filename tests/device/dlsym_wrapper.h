/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * For a library that is preloaded to stand in front of functions that a program looks up by name, as it does
 * those of GL: it defines wrap_symbol(), which may call next_dlsym(). Who asks for RTLD_NEXT is answered for
 * this library. Thread: any.
 */
#ifndef VRAMLINK_TESTS_DEVICE_DLSYM_WRAPPER_H
#define VRAMLINK_TESTS_DEVICE_DLSYM_WRAPPER_H

#include <dlfcn.h>
#include <stddef.h>

#define FIRST_VERSION "GLIBC_2.2.5" /* of x86-64; glibc keeps it */

/* What the program gets for a name that it has looked up and found. */
static void *wrap_symbol(const char *name, void *found);

static void *next_dlsym(void *handle, const char *name)
{
    static void *(*real)(void *, const char *);

    if (!real)
        *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", FIRST_VERSION);
    return real(handle, name);
}

void *dlsym(void *handle, const char *name)
{
    void *found = next_dlsym(handle, name);

    return found ? wrap_symbol(name, found) : NULL;
}

#endif
