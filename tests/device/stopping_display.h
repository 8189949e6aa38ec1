/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A display of QEMU's, for a process of its own, that answers every call until it stops itself (SIGSTOP), at
 * a moment that is told. (Interface: QEMU's ui/dbus-display1.xml.)
 */
#ifndef VRAMLINK_TESTS_DEVICE_STOPPING_DISPLAY_H
#define VRAMLINK_TESTS_DEVICE_STOPPING_DISPLAY_H

#ifdef __cplusplus
extern "C" {
#endif

enum stop_point {
    STOP_NEVER,
    STOP_AT_FIRST_FRAME, /* before it has answered its first call */
    STOP_IN_UPDATE,      /* it has been handed a frame, and has not answered */
    STOP_AFTER_FLIP,     /* when the third frame has been answered */
};

/* @display: as for stuck_consumer_new(). Returns when QEMU does not let it in, with a sentence on stderr, and
 * when QEMU has hung up. */
void stopping_display_run(int display, enum stop_point point);

#ifdef __cplusplus
}
#endif

#endif
