/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A question to displays on D-Bus: something harmless, which a client answers where it takes calls, one after
 * another. Who has answered has taken up everything that it was sent before.
 *
 * The answers are seen by GDBus's own thread, and waited for with a condition: no main loop runs here, and
 * the big lock stays held, so nothing else happens in QEMU meanwhile.
 *
 * Thread: any that holds the big lock.
 */
#ifndef VRAMLINK_QEMU_QUESTION_H
#define VRAMLINK_QEMU_QUESTION_H

#include "hw/qemu/dbus-displays.h"

typedef struct VramQuestion VramQuestion;

VramQuestion *vram_question_new(void);
void vram_question_free(VramQuestion *question);

/* @number: below VRAM_MAX_DBUS_DISPLAYS, once each. */
void vram_question_ask(VramQuestion *question, unsigned number, GDBusConnection *connection);
/* Until all who were asked have answered, @limit_ms at most. */
void vram_question_wait(VramQuestion *question, unsigned limit_ms);
/* An error is an answer, too. */
bool vram_question_answered(VramQuestion *question, unsigned number);

#endif
