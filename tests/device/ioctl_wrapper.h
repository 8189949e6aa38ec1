/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * For a library that is preloaded to stand in front of ioctl(): it defines wrap_ioctl(), which may call
 * next_ioctl(). Thread: any.
 */
#ifndef VRAMLINK_TESTS_DEVICE_IOCTL_WRAPPER_H
#define VRAMLINK_TESTS_DEVICE_IOCTL_WRAPPER_H

#include <dlfcn.h>
#include <stdarg.h>
#include <sys/ioctl.h>

/* What the program gets instead of the call. */
static int wrap_ioctl(int fd, unsigned long request, void *argument);

/* The call itself. */
static int next_ioctl(int fd, unsigned long request, void *argument)
{
    static int (*real)(int, unsigned long, ...);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
    return real(fd, request, argument);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;

    va_start(ap, request);
    void *argument = va_arg(ap, void *);
    va_end(ap);
    return wrap_ioctl(fd, request, argument);
}

#endif
