# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite `linux`: a Linux guest on virtio-gpu-vram-pci draws, and lives its life."""

from . import drawing, lifecycle, machine
from .guest import Guest
from .tap import Tap

LOGS = "/out"


def main(share, seconds="20", which="all"):
    """seconds: how long weston and kmscube draw; which: all, drawing or lifecycle."""
    tap = Tap()
    device = machine.gpu(machine.OURS)
    with Guest(share, f"{LOGS}/guest", device) as guest:
        if tap.check("Linux boots", guest.wait_up):
            if which != "lifecycle":
                drawing.checks(tap, guest, float(seconds))
            if which != "drawing":
                lifecycle.checks(tap, guest, share, device)
    return tap.end()
