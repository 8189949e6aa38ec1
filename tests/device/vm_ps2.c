/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vm_ps2.h"

#include "vm_parts.h"

#include "libqtest.h"

enum {
    DATA = 0x60,
    STATUS = 0x64, /* written: commands */

    OUTPUT_FULL = 0x01, /* of the status */
    FROM_MOUSE = 0x20,

    TO_MOUSE = 0xd4, /* the command: the next byte is for the mouse */
    ENABLE = 0xf4,   /* of the mouse */
    ACKNOWLEDGE = 0xfa,
};

int vm_ps2_read(struct vm *vm, bool mouse)
{
    for (;;) {
        uint8_t status = qtest_inb(vm->qts, STATUS);
        if (!(status & OUTPUT_FULL)) {
            return -1;
        }
        uint8_t byte = qtest_inb(vm->qts, DATA);
        if (!!(status & FROM_MOUSE) == mouse) {
            return byte;
        }
    }
}

bool vm_ps2_mouse_on(struct vm *vm)
{
    qtest_outb(vm->qts, STATUS, TO_MOUSE);
    qtest_outb(vm->qts, DATA, ENABLE);
    return vm_ps2_read(vm, true) == ACKNOWLEDGE;
}
