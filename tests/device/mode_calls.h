/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which ioctls put a frame on a screen, for preloaded libraries; legacy and atomic ones.
 */
#ifndef VRAMLINK_TESTS_DEVICE_MODE_CALLS_H
#define VRAMLINK_TESTS_DEVICE_MODE_CALLS_H

#include <drm.h>
#include <drm_mode.h>

#include <stdbool.h>

/* With a mode, as the viewer's neutral frame. */
static inline bool call_sets_mode(unsigned long request, const void *argument)
{
    return request == DRM_IOCTL_MODE_SETCRTC ||
           (request == DRM_IOCTL_MODE_ATOMIC &&
            ((const struct drm_mode_atomic *)argument)->flags & DRM_MODE_ATOMIC_ALLOW_MODESET);
}

/* In the mode that is set. */
static inline bool call_flips(unsigned long request, const void *argument)
{
    return request == DRM_IOCTL_MODE_PAGE_FLIP ||
           (request == DRM_IOCTL_MODE_ATOMIC && !call_sets_mode(request, argument));
}

#endif
