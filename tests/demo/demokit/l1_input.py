# SPDX-License-Identifier: GPL-2.0-or-later
"""Inside L1: what the guest's evdev has heard of the user, from the guest's console (guest-init writes it there)."""

import re
import struct
import time

ARRIVE_SECONDS = 20
EV_KEY, EV_ABS = 1, 3
KEY_K, BTN_LEFT = 37, 272  # what l0_input.py presses
ABS_X, ABS_Y = 0, 1
LAST = 0x7FFF  # of QEMU's tablets


def events(text):
    """(type, code, value) of each struct input_event on the console."""
    for line in re.findall(r"evdev ([0-9a-f]{48})", text):
        yield struct.unpack("<16xHHi", bytes.fromhex(line))


def heard(console):
    """{"key": whether the key went down and up, "button": likewise, "at": the pointer's last place, 0 to 1}."""
    with open(console, encoding="utf-8", errors="replace") as file:
        seen = list(events(file.read()))
    at = {code: value / LAST for kind, code, value in seen if kind == EV_ABS}
    return {"key": _pressed(seen, KEY_K), "button": _pressed(seen, BTN_LEFT),
            "at": [at[ABS_X], at[ABS_Y]] if {ABS_X, ABS_Y} <= at.keys() else None}


def _pressed(seen, code):
    values = [value for kind, which, value in seen if (kind, which) == (EV_KEY, code)]
    return values[:1] == [1] and values[-1:] == [0]


def wait(console):
    """What was heard, once all of it has arrived or the time is over."""
    limit = time.monotonic() + ARRIVE_SECONDS
    while True:
        found = heard(console)
        if all(found.values()) or time.monotonic() > limit:
            return found
        time.sleep(0.2)
