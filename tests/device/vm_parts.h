/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of vm.h share: libqos's objects behind its opaque ones.
 */
#ifndef VRAMLINK_TESTS_DEVICE_VM_PARTS_H
#define VRAMLINK_TESTS_DEVICE_VM_PARTS_H

#include "vm.h"

#include "qemu/osdep.h"

#include "libqos/libqos-malloc.h"
#include "libqos/pci-pc.h"
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

#endif
