# SPDX-License-Identifier: GPL-2.0-or-later
"""Inside L1: weston as the host's compositor on L1's display GPU, and the viewer as its client."""

import os

from . import l1_seat

NAME = "weston"
SOCKET = "wl"
BACKGROUND = "0xff204060"  # l0_window.py looks for the window on it
# A desktop whose background is one colour, and nothing that could cover the window.
CONFIG = f"""[core]
idle-time=0
[shell]
background-color={BACKGROUND}
background-type=tile
panel-position=none
locking=false
animation=none
startup-animation=none
focus-animation=none
"""


def environment(run, _gl=False):
    return {**l1_seat.ENVIRONMENT, "XDG_RUNTIME_DIR": f"{run}/xdg", "WAYLAND_DISPLAY": SOCKET}


client_environment = environment


def prepare(run):
    """weston's directory and configuration."""
    os.makedirs(f"{run}/xdg", mode=0o700, exist_ok=True)
    with open(f"{run}/weston.ini", "w", encoding="utf-8") as file:
        file.write(CONFIG)


def command(run, gl):
    return ["weston", "--backend=drm", f"--renderer={'gl' if gl else 'pixman'}", "--continue-without-input", "--drm-device=card0",
            f"--socket={SOCKET}", f"--config={run}/weston.ini"]


def is_up(run):
    return os.path.exists(f"{run}/xdg/{SOCKET}")
