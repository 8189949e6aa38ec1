/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of vm.h share: libqos's objects behind its opaque ones.
 */
#ifndef VRAMLINK_TESTS_DEVICE_VM_PARTS_H
#define VRAMLINK_TESTS_DEVICE_VM_PARTS_H

#include "vm_ring.h"

#include "qemu/osdep.h"

#include "libqos/libqos-malloc.h"
#include "libqos/pci-pc.h"
#include "libqos/virtio-pci.h"
#include "libqtest.h"

struct vm {
    QTestState *qts;
    QGuestAllocator alloc;
    QPCIBus *bus;
    bool killed;
    GPtrArray *opened; /* struct vm_pci and struct vm_gpu */
};

struct vm_pci {
    QPCIDevice *dev;
};

struct vm_gpu {
    struct vm *vm;
    QVirtioPCIDevice dev;
    struct vm_ring control;
    struct vm_ring cursor;   /* of a virtio-gpu, which has two queues */
    unsigned int unanswered; /* commands given up on, whose answer may still come */
    uint64_t late[128];      /* their memory, which belongs to the device until then */
    unsigned int late_count;
};

#endif
