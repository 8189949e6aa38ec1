# SPDX-License-Identifier: GPL-2.0-or-later
"""Other people's KMS tests in the guest: libdrm's modetest, modeprint, proptest, vbltest, drmdevice, and drm_info."""

import re

from . import users
from .tap import must

PATTERNS = ["smpte", "tiles", "plain", "gradient"]
FORMATS = ["XR24", "AR24", "XB24", "RG16", "XR30", "NV12"]
WIDEST = 1920


def runs(guest, command, says):
    """The command ends well and prints what matches."""
    out = guest.sh(command, 90)
    must(re.search(says, out), f"'{command}' printed nothing like '{says}': {out[-800:]}")


def ticks(guest):
    """vbltest counts vertical blanks until it is stopped."""
    out = guest.sh("rm -f /tmp/stop; mkfifo /tmp/stop; timeout 10 vbltest -M virtio_gpu <>/tmp/stop; true", 60)
    must("freq" in out, f"vbltest: {out[-500:]}")


def options_show(guest, options, size=(800, 600)):
    """modetest with these options shows something of that size, and the host's screen shows the same."""
    with users.modetest(guest, options):
        users.eventually(lambda: size_differs(guest, size), 30)
        guest.same_picture(0, 60)
        must(guest.screen().colours() > (1 if "plain" in options else 2) or "plain" in options, "one colour only")


def size_differs(guest, size):
    said = users.said(guest, "modetest")
    must("failed" not in said, f"modetest: {said[-500:]}")
    seen = guest.screen()
    return "" if (seen.width, seen.height) == size else f"the screen is {seen.width}x{seen.height}"


def atomic_shows(guest):
    listed = guest.sh("modetest -M virtio_gpu -p")
    crtc = re.search(r"^CRTCs:\n.*\n(\d+)", listed, re.M)[1]
    plane = re.search(r"^Planes:\n.*\n(\d+)", listed, re.M)[1]
    options_show(guest, f"-a -s Virtual-1@{crtc}:800x600 -P {plane}@{crtc}:800x600")


def turned_off(guest):
    """DPMS off and on while a picture is shown."""
    listed = guest.sh("modetest -M virtio_gpu -c")
    connector = re.search(r"^(\d+)\t\d+\tconnected\tVirtual-1", listed, re.M)[1]
    with users.modetest(guest, "-s Virtual-1:800x600"):
        users.eventually(lambda: size_differs(guest, (800, 600)), 60)
    for level in (3, 0):
        guest.sh(f"modetest -M virtio_gpu -w {connector}:DPMS:{level}")
    guest.same_picture()


def modes(guest):
    """The sizes that the connector offers, up to WIDEST, each once."""
    listed = guest.sh("cat /sys/class/drm/card0-Virtual-1/modes").split()
    sizes = [tuple(int(number) for number in mode.split("x")) for mode in dict.fromkeys(listed)]
    return [size for size in sizes if size[0] <= WIDEST]


def checks(tap, guest, all_modes):
    tap.check("modetest lists connectors, CRTCs, planes", runs, guest, "modetest -M virtio_gpu", r"Planes:\n.*\n\d+")
    tap.check("modeprint", runs, guest, "modeprint virtio_gpu", r"Connector: Virtual-1")
    tap.check("proptest lists properties", runs, guest, "proptest -M virtio_gpu", r"EDID")
    tap.check("drmdevice", runs, guest, "drmdevice", r"card0")
    tap.check("drm_info", runs, guest, "drm_info -j >/tmp/info; python3 -m json.tool /tmp/info | "
              "grep virtio_gpu", r'"virtio_gpu"')
    tap.check("vbltest counts vertical blanks", ticks, guest)
    for pattern in PATTERNS:
        tap.check(f"modetest -F {pattern}", options_show, guest, f"-F {pattern} -s Virtual-1:800x600")
    for fourcc in FORMATS:
        tap.check(f"modetest, format {fourcc}", options_show, guest, f"-s Virtual-1:800x600@{fourcc}")
    tap.check("modetest -a (atomic)", atomic_shows, guest)
    tap.check("modetest turns the connector off and on (DPMS)", turned_off, guest)
    if all_modes:
        for width, height in modes(guest):
            tap.check(f"modetest, mode {width}x{height}", options_show, guest, f"-s Virtual-1:{width}x{height}",
                      (width, height))
