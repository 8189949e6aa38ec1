/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The PC's keyboard controller (i8042), to hear what a guest's keyboard and mouse say.
 */
#ifndef VRAMLINK_TESTS_DEVICE_VM_PS2_H
#define VRAMLINK_TESTS_DEVICE_VM_PS2_H

#include "vm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Has the mouse report movements. False when it does not acknowledge. */
bool vm_ps2_mouse_on(struct vm *vm);

/* The next byte of the keyboard, or (@mouse) of the mouse; the other's are dropped. -1: nothing is there. */
int vm_ps2_read(struct vm *vm, bool mouse);

#ifdef __cplusplus
}
#endif

#endif
