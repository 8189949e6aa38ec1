# SPDX-License-Identifier: GPL-2.0-or-later
"""The user in front of L1's screen: a pointer and a key, injected into L0's QEMU."""

import time

KEY, BUTTON = "k", "left"  # l1_input.py waits for them
LAST = 0x7FFF  # QEMU's absolute axes
DEVICES = "-device virtio-tablet-pci"  # in L1; a keyboard is there
CLICKS = 4
# weston's seat has a pointer from its first event on, and clients that hear of it late miss clicks: as a user does,
# move first, and click again.
PAUSE_SECONDS = 2


def click_and_type(monitor, x, y, width, height):
    """Clicks on the pixel (x, y) of a screen of that size, then a key."""
    _send(monitor, _axis("x", x, width), _axis("y", y, height))
    for _ in range(CLICKS):
        time.sleep(PAUSE_SECONDS)
        for down in (True, False):
            _send(monitor, {"type": "btn", "data": {"button": BUTTON, "down": down}})
    for down in (True, False):
        _send(monitor, {"type": "key", "data": {"key": {"type": "qcode", "data": KEY}, "down": down}})


def _axis(name, at, size):
    return {"type": "abs", "data": {"axis": name, "value": at * LAST // (size - 1)}}


def _send(monitor, *events):
    monitor.execute("input-send-event", events=list(events))
