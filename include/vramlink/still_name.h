/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The name (DMA_BUF_SET_NAME) of a dma-buf that holds the last frame of a buffer which the guest is moving.
 * D-Bus display calls have no field that could say so. A consumer that sees it, in /proc/self/fdinfo/FD, is
 * asked to let go of every other buffer, at the latest when the still is on its screen.
 */
#ifndef VRAMLINK_STILL_NAME_H
#define VRAMLINK_STILL_NAME_H

#define VRL_STILL_NAME "vramlink-still"

#endif
