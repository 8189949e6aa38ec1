# SPDX-License-Identifier: GPL-2.0-or-later
"""Inside L1: the user's seat. udev's database tells weston and the viewer what is a keyboard; libseat works without
a daemon here, and without a virtual terminal."""

import os
import subprocess

ENVIRONMENT = {**os.environ, "LIBSEAT_BACKEND": "builtin", "SEATD_VTBOUND": "0"}


def start_udev():
    subprocess.run(["sh", "-ec", "/usr/lib/systemd/systemd-udevd --daemon; "
                    "udevadm trigger --action=add --subsystem-match=drm --subsystem-match=input; "
                    "udevadm settle --timeout=60"], check=True, capture_output=True, timeout=120)
