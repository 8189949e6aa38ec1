# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the repository, its builds and the lab's pieces in the cache are."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
BUILD = REPO / "build"
PLUGIN = BUILD / "host/hw/qemu/qemu-vramlink.so"


def cache():
    """The same rule as lib/common.sh."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("VRAMLINK_CACHE") or Path(base) / "vramlink")


@dataclass(frozen=True)
class Pieces:
    """What an L1 is made of, for one kernel (current, stable, oldstable or debug)."""

    kernel_name: str

    @property
    def lab(self):
        return cache() / "lab"

    @property
    def kernel_root(self):
        return self.lab / f"kernel-{self.kernel_name}"

    @property
    def modules_image(self):
        return self.lab / f"kernel-{self.kernel_name}.erofs"

    @property
    def initramfs(self):
        return self.lab / f"boot-{self.kernel_name}.cpio"

    @property
    def root(self):
        return self.lab / "root"

    @property
    def root_image(self):
        return self.lab / "root.erofs"

    @property
    def kernel(self):
        """The kernel image; newer packages keep it beside the modules, older ones in /boot."""
        for pattern in ("usr/lib/modules/*/vmlinuz", "boot/vmlinuz-*"):
            for path in self.kernel_root.glob(pattern):
                return path
        raise FileNotFoundError(f"no kernel in {self.kernel_root}; run tests/lab/prepare {self.kernel_name}")

    def ensure(self, output):
        """Makes what is missing; at once when nothing is. Progress lines go to output."""
        subprocess.run([REPO / "tests/lab/prepare", self.kernel_name], check=True, stdout=output)

    def as_shell(self):
        values = {
            "CACHE": cache(),
            "KERNEL": self.kernel,
            "KERNEL_ROOT": self.kernel_root,
            "KERNEL_VERSION": (self.kernel_root / "version").read_text().strip(),
            "ROOT": self.root,
            "ROOT_IMAGE": self.root_image,
            "INITRAMFS": self.initramfs,
        }
        return "\n".join(f"{name}='{value}'" for name, value in values.items())
