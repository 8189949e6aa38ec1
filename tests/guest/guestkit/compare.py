# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite `compare`: the same checks on a stock virtio-gpu-pci with blobs and on ours; /out/stock.tap, /out/ours.tap."""

import os
import sys
import time

from . import drawing, lifecycle, machine, tools
from .guest import Guest
from .tap import Tap

LOGS = os.environ.get("VRAMLINK_GUEST_LOGS", "/out")


def side(name, device, share, long, seconds):
    start = time.monotonic()
    with open(f"{LOGS}/{name}.tap", "w", encoding="utf-8") as stream:
        tap = Tap(stream)
        with Guest(share, f"{LOGS}/{name}", device) as guest:
            if tap.check("Linux boots", guest.wait_up):
                tools.checks(tap, guest, long)
                if long:
                    drawing.checks(tap, guest, seconds)
                    lifecycle.checks(tap, guest, share, device)
        tap.end()
    print(f"{name}: {tap.count} checks in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def main(share, which="short", seconds="60"):
    for name, device in (("stock", machine.STOCK), ("ours", machine.OURS)):
        side(name, machine.gpu(device), share, which == "long", float(seconds))
    return 0
