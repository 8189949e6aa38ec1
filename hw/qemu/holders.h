/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Who has descriptors of a dma-buf, as far as this process may see.
 *
 * /proc/PID/fdinfo tells the inode of each open file (Linux: fs/proc/fd.c, seq_show()). It takes a reference
 * to the file for as long as it is read, which a path through /proc/PID/fd does not: vfio-pci of Linux 7.3
 * does not bear a path that outlives its file (drivers/vfio/pci/vfio_pci_dmabuf.c). What is not seen: GEM
 * handles and other imports, and processes of other users where QEMU is not root.
 *
 * Thread: any. Nothing here fails; what cannot be seen is not counted.
 */
#ifndef VRAMLINK_HW_QEMU_HOLDERS_H
#define VRAMLINK_HW_QEMU_HOLDERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Files of the process that are one of these inodes and dma-bufs; of this process those beyond one of each.
 */
unsigned vram_holders_count(pid_t pid, const uint64_t *inodes, size_t nr_inodes, int64_t end);
/* When a look that begins now is to end; g_get_monotonic_time(). A process can have more descriptors than
 * there is time for: what has not been looked at is not counted. */
int64_t vram_holders_deadline(void);

/* A clause for the log, such as "process 12 (weston) has 1 descriptor"; "no process that can be seen has a
 * descriptor". Looks until a deadline of its own. Caller frees. */
char *vram_holders_describe(const uint64_t *inodes, size_t nr_inodes);

#endif
