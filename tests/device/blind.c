/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into QEMU: /proc/self/fdinfo and those of other processes cannot be read, as under an AppArmor
 * profile that does not name them.
 */
#undef _FILE_OFFSET_BITS /* open() and open64() are two functions here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

static int refuses(const char *path)
{
    return strncmp(path, "/proc/", strlen("/proc/")) == 0 && strstr(path, "/fdinfo") != NULL;
}

static int real_open(const char *name, const char *path, int flags, int mode)
{
    int (*real)(const char *, int, ...);

    if (refuses(path)) {
        errno = EACCES;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, name);
    return real(path, flags, mode);
}

#define WRAP(name)                                                                                           \
    int name(const char *path, int flags, ...)                                                               \
    {                                                                                                        \
        va_list ap;                                                                                          \
                                                                                                             \
        va_start(ap, flags);                                                                                 \
        int mode = flags & O_CREAT ? va_arg(ap, int) : 0;                                                    \
        va_end(ap);                                                                                          \
        return real_open(#name, path, flags, mode);                                                          \
    }

WRAP(open)
WRAP(open64)
