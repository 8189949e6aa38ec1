/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded into a viewer: one whose GPU does not come back. While the file is there, whoever sets a mode
 * waits in the call, as for a driver that hangs; the viewer sets one for its neutral frame. Its connections
 * are read meanwhile, by GDBus's own thread.
 *
 *   VRAMLINK_TEST_STALL=FILE
 */
#include "ioctl_wrapper.h"
#include "mode_calls.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define STEP_US 10000

static bool is_stalled(void)
{
    const char *file = getenv("VRAMLINK_TEST_STALL");

    return file && access(file, F_OK) == 0;
}

static int wrap_ioctl(int fd, unsigned long request, void *argument)
{
    while (call_sets_mode(request, argument) && is_stalled())
        usleep(STEP_US);
    return next_ioctl(fd, request, argument);
}
