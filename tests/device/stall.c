/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into a viewer: one whose GPU does not come back. While the file is there, whoever sets a mode
 * waits in the call, as for a driver that hangs; the viewer sets one for its neutral frame. Its connections
 * are read meanwhile, by GDBus's own thread.
 *
 *   VRAMLINK_TEST_STALL=FILE
 */
#include "mode_calls.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define STEP_US 10000

static bool is_stalled(void)
{
    const char *file = getenv("VRAMLINK_TEST_STALL");

    return file && access(file, F_OK) == 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list ap;

    va_start(ap, request);
    void *argument = va_arg(ap, void *);
    va_end(ap);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
    while (call_sets_mode(request, argument) && is_stalled())
        usleep(STEP_US);
    return real(fd, request, argument);
}
