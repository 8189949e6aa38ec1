# SPDX-License-Identifier: GPL-2.0-or-later
"""kernel/etc: what users copy to /etc."""

import subprocess
from pathlib import Path

from . import pci
from .tap import Skip, equal

SNIPPETS = Path(__file__).resolve().parents[3] / "kernel/etc"
UDEVD = Path("/usr/lib/systemd/systemd-udevd")
RULES, ADDRESS = "70-vfio-pci-vram.rules", "0000:03:00.1"


def check_udev_rule(ground):
    """The device comes without a driver, and udev gives it ours."""
    if not UDEVD.exists():
        raise Skip("no udev here")
    if not Path("/proc/sys/fs/inotify").exists():
        raise Skip("this kernel has no inotify, which udev needs")
    address, rule = ground.gpu, Path("/etc/udev/rules.d") / RULES
    text = (SNIPPETS / RULES).read_text()
    equal(text.count(ADDRESS), 1, "places to put the address")
    rule.write_text(text.replace(ADDRESS, address))
    device = pci.DEVICES / address
    (device / "driver/unbind").write_text(address)
    (device / "driver_override").write_text("\n")
    subprocess.run([UDEVD, "--daemon"], check=True, capture_output=True)
    try:
        subprocess.run(["udevadm", "trigger", "--action=add", device], check=True)
        subprocess.run(["udevadm", "settle", "--timeout=60"], check=True)
        equal((device / "driver").resolve().name, ground.driver, "the driver")
    finally:
        rule.unlink()
        subprocess.run(["udevadm", "control", "--exit"], check=False)
        pci.bind(address, ground.driver)


def check_modprobe_options():
    """Every line that a user may uncomment is one that modprobe knows."""
    copy = Path("/etc/modprobe.d/vfio-pci-vram.conf")
    copy.write_text((SNIPPETS / copy.name).read_text().replace("#options", "options").replace("#softdep", "softdep"))
    try:
        found = subprocess.run(["modprobe", "--showconfig"], check=True, capture_output=True, text=True)
        ours = [line for line in found.stdout.splitlines() if "vfio_pci_vram" in line.replace("-", "_")]
        equal(ours, ["options vfio_pci_vram unchecked_p2p=1", "softdep amdgpu pre: vfio-pci-vram",
                     "softdep xe pre: vfio-pci-vram"], "what modprobe reads")
        equal(found.stderr, "", "what modprobe complains of")
    finally:
        copy.unlink()
