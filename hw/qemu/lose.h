/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A VFIO device is about to lose its memory: all blobs in it, of all our devices, are revoked now.
 *
 * Thread: any that holds the big lock. It stays held: between the revocation and what QEMU does next to the
 * device nobody else can unplug it, or make another blob in it. Displays of this process are left to the main
 * loop (deferred.h).
 */
#ifndef VRAMLINK_QEMU_LOSE_H
#define VRAMLINK_QEMU_LOSE_H

#include "hw/qemu/vram-gpu.h"

/* @device_fd: the device's VFIO descriptor. Returns when no blob lies in it any more, let-go-ms at most for
 * each of our devices. */
void vram_lose(int device_fd, const char *why);

/* All blobs whose memory did not answer when they were read. */
void vram_lose_unreadable(const char *why);

/* All blobs of this device that its driver says it has revoked. Main loop. */
void vram_lose_reported(int device_fd, const char *why);

/* --- host-loss.c: listens to the driver of the VFIO device, called @name in messages. NULL: it does not
 * tell. */
typedef struct VramHostLoss VramHostLoss;
VramHostLoss *vram_host_loss_new(const char *name, int device_fd);
void vram_host_loss_free(VramHostLoss *loss); /* NULL is fine */

/* Whether it is so of one of our devices. */
bool vram_lose_any(bool (*is_so)(const VramGPU *vg));

/* Devices of ours that are asked; from realize to unrealize. */
void vram_lose_add(VramGPU *vg);
void vram_lose_remove(VramGPU *vg);

#endif
