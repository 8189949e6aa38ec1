# SPDX-License-Identifier: GPL-2.0-or-later
"""Inside L1: what the guest's QEMU has heard of the user, from its own trace (input_event_* in its log)."""

import re
import time

EVENTS = ["input_event_key_qcode", "input_event_btn", "input_event_abs"]
ARRIVE_SECONDS = 20
KEY, BUTTON = "k", "left"  # what l0_input.py presses


def heard(log):
    """{"key": whether the key went down and up, "button": likewise, "at": the pointer's last place, 0 to 1}."""
    with open(log, encoding="utf-8", errors="replace") as file:
        text = file.read()
    at = {axis: int(value, 16) / 0x7FFF for axis, value in re.findall(r"axis ([xy]), value (0x[0-9a-f]+)", text)}
    return {"key": _pressed(text, f"key qcode {KEY}"), "button": _pressed(text, f"button {BUTTON}"),
            "at": [at["x"], at["y"]] if len(at) == 2 else None}


def _pressed(text, what):
    return re.search(rf"{what}, down 1.*{what}, down 0", text, re.DOTALL) is not None


def wait(log):
    """What was heard, once all of it has arrived or the time is over."""
    limit = time.monotonic() + ARRIVE_SECONDS
    while True:
        found = heard(log)
        if all(found.values()) or time.monotonic() > limit:
            return found
        time.sleep(0.2)
