# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite `linux`: a Linux guest on virtio-gpu-vram-pci draws, and lives its life."""

import os

from . import drawing, lifecycle, machine
from .guest import Guest
from .tap import Tap

LOGS = os.environ.get("VRAMLINK_GUEST_LOGS", "/out")


def main(share, seconds="20", which="all"):
    """seconds: how long weston and kmscube draw; which: all, few, drawing or lifecycle."""
    tap = Tap()
    device = machine.gpu(machine.OURS)
    with Guest(share, f"{LOGS}/guest", device) as guest:
        if tap.check("Linux boots", guest.wait_up):
            if which == "few":
                drawing.few_checks(tap, guest, float(seconds))
            if which in ("all", "drawing"):
                drawing.checks(tap, guest, float(seconds))
            if which in ("all", "lifecycle"):
                lifecycle.checks(tap, guest, share, device)
    return tap.end()
