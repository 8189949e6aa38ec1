# SPDX-License-Identifier: GPL-2.0-or-later
"""One attachment of the test importer (kernel/testing/importer.c)."""

import os
from pathlib import Path

DEVICE = "/dev/vram-importer"
DEBUGFS = Path("/sys/kernel/debug/vram-importer")


class Importer:
    def __init__(self, dmabuf=None, address=None, mode="eager"):
        self.fd = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
        self.dir = DEBUGFS / os.pread(self.fd, 16, 0).decode().strip()
        if dmabuf is not None:
            try:
                self.attach(dmabuf, address, mode)
            except OSError:
                self.close()
                raise

    def attach(self, dmabuf, address, mode="eager"):
        self.do(f"attach {dmabuf} {address} {mode}")

    def do(self, command):
        os.write(self.fd, command.encode())

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def status(self):
        return {name: int(value) for name, value in
                (line.split() for line in (self.dir / "status").read_text().splitlines())}

    def scatterlist(self):
        """[(address, length)...] of the mapping."""
        return [tuple(int(word, 16) for word in line.split())
                for line in (self.dir / "scatterlist").read_text().splitlines()]
