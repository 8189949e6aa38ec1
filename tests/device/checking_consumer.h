/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A consumer of QEMU's D-Bus display that checks every frame (storm_frame.h) before it answers, and drops the
 * buffer when it is told Disable, before it answers. VFIO's dma-bufs cannot be mapped: it attaches each to
 * the test importer (kernel/testing) as a display GPU would, and reads through that; others it maps.
 */
#ifndef VRAMLINK_TESTS_DEVICE_CHECKING_CONSUMER_H
#define VRAMLINK_TESTS_DEVICE_CHECKING_CONSUMER_H

#include "storm_frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For a process of its own. @display: as for stuck_consumer_new(). @device: the importing PCI device.
 * Returns when QEMU does not let it in, with a sentence on stderr, and when QEMU has hung up.
 */
void checking_consumer_run(int display, const char *device, struct storm_board *board);

#ifdef __cplusplus
}
#endif

#endif
