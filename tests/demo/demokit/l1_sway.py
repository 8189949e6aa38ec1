# SPDX-License-Identifier: GPL-2.0-or-later
"""Inside L1: sway as the host's compositor on L1's display GPU, and the viewer as its client."""

import glob
import os
import subprocess

from . import l1_seat

NAME = "sway"
ANSWER_SECONDS = 10
# The viewer's window floats in its own size on one colour (l0_window.py looks for the window on it), and a pointer
# that rests is not drawn.
CONFIG = """output * background #204060 solid_color
for_window [app_id="vramlink-viewer"] floating enable, border none, move position center
focus_follows_mouse no
seat * hide_cursor 100
xwayland disable
"""


def environment(run, gl):
    """Of sway, which names its socket by itself."""
    return {**l1_seat.ENVIRONMENT, "XDG_RUNTIME_DIR": f"{run}/xdg", "WLR_BACKENDS": "drm,libinput",
            "WLR_DRM_DEVICES": "/dev/dri/card0", "WLR_RENDERER": "gles2" if gl else "pixman",
            "WLR_RENDERER_ALLOW_SOFTWARE": "1"}


def client_environment(run):
    return {**l1_seat.ENVIRONMENT, "XDG_RUNTIME_DIR": f"{run}/xdg", "WAYLAND_DISPLAY": _sockets(run)[0]}


def prepare(run):
    """sway's directory and configuration."""
    os.makedirs(f"{run}/xdg", mode=0o700, exist_ok=True)
    with open(f"{run}/sway.config", "w", encoding="utf-8") as file:
        file.write(CONFIG)


def command(run, _gl):
    return ["sway", "--config", f"{run}/sway.config"]


def _sockets(run):
    return [path for path in glob.glob(f"{run}/xdg/wayland-*") if not path.endswith(".lock")]


def is_up(run):
    """Its sockets are there before it answers."""
    control = glob.glob(f"{run}/xdg/sway-ipc.*")
    if not control or not _sockets(run):
        return False
    try:
        return subprocess.run(["swaymsg", "--socket", control[0], "--quiet", "-t", "get_outputs"], timeout=ANSWER_SECONDS,
                              check=False, capture_output=True).returncode == 0
    except subprocess.TimeoutExpired:
        return False
