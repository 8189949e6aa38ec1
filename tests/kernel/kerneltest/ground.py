# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests stand on: the devices, the driver under test, and that the kernel has nothing to complain of."""

import errno
import os
import re
import subprocess
import threading
from contextlib import contextmanager

from . import pci
from .importer import Importer
from .tap import equal
from .vfio import Device

PAGE = 4096
LONGEST_ENTRY = (1 << 32) - PAGE
VRAM_BAR = 2
LAB_GPU, NETWORK_CARD, DISK = (0x1AF4, 0x1110), (0x8086, 0x10C9), (0x1AF4, 0x1001)
JOIN_SECONDS = 120
# Not the kernel's complaints of being slow (stalls, soft lockups): the lab's machine may be busy.
TROUBLE = re.compile(r"kernel BUG|BUG: (?!soft lockup|workqueue lockup)|WARNING:|Oops|general protection|refcount_t"
                     r"|ODEBUG|DMA-API|suspected memory leak")


class Ground:
    """gpu: 64 MiB of VRAM, no PM, no FLR. large_gpu: 8 GiB. set: two functions of one slot, which
    are reset together. af_gpu: has the Advanced Features capability, and no other FLR. card: a network card with
    PM, FLR and an I/O BAR. peer: who imports."""

    def __init__(self, driver):
        self.driver = driver
        gpus = sorted(pci.find(*LAB_GPU), key=lambda address: pci.bar(address, VRAM_BAR)[1])
        *self.set, self.af_gpu, self.gpu, self.large_gpu = gpus
        self.card = pci.find(*NETWORK_CARD)[0]
        self.peer = pci.find(*DISK)[0]
        self.log_seen = len(kernel_log())

    def bind(self):
        for address in self.devices():
            pci.bind(address, self.driver)

    def devices(self):
        return [*self.set, self.af_gpu, self.gpu, self.large_gpu, self.card]

    @property
    def ours(self):
        return self.driver == "vfio-pci-vram"

    def new_log(self):
        """Lines of the kernel's log since the last call."""
        lines = kernel_log()
        new, self.log_seen = lines[self.log_seen:], len(lines)
        return new

    def log_is_clean(self):
        trouble = [line for line in kernel_log()[self.log_seen:] if TROUBLE.search(line)]
        equal(trouble, [], "the kernel's log")

    def physical(self, address, bar, ranges):
        """What an importer must see of ranges: addresses, neighbours merged where the driver does."""
        start, _ = pci.bar(address, bar)
        entries = []
        for offset, length in ranges:
            if self.ours and entries and sum(entries[-1]) == start + offset:
                entries[-1] = (entries[-1][0], entries[-1][1] + length)
            else:
                entries.append((start + offset, length))
        return [piece for entry in entries for piece in split(*entry)]

    @contextmanager
    def exported(self, address, bar, ranges, mode="eager", token=None):
        """(device, dma-buf, importer) with the buffer mapped and compared with what was asked for."""
        with Device(address, token) as device:
            dmabuf = device.export(bar, ranges)
            try:
                with Importer(dmabuf, self.peer, mode) as importer:
                    importer.do("map")
                    equal(importer.scatterlist(), self.physical(address, bar, ranges), "scatterlist")
                    yield device, dmabuf, importer
            finally:
                os.close(dmabuf)

    def refused(self, dmabuf, importer):
        """The buffer is revoked: it cannot be mapped by who is attached, nor attached anew."""
        equal(importer.status()["mapped"], 0, "mapped")
        equal(errno_of(importer.do, "map"), errno.ENODEV, "map while revoked")
        equal(errno_of(Importer, dmabuf, self.peer), errno.ENODEV, "attach while revoked")

    def returned(self, address, bar, ranges, importer):
        """The buffer is live again, and the same."""
        importer.do("map")
        equal(importer.scatterlist(), self.physical(address, bar, ranges), "scatterlist after the return")


def split(address, length):
    """An entry's length is a multiple of the page size in 32 bits."""
    for at in range(0, length, LONGEST_ENTRY):
        yield address + at, min(LONGEST_ENTRY, length - at)


def kernel_log():
    return subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout.splitlines()


def errno_of(function, *arguments):
    """The errno that a call fails with; 0 when it does not."""
    try:
        result = function(*arguments)
    except OSError as error:
        return error.errno
    if isinstance(result, Importer):
        result.close()
    elif isinstance(result, int) and result > 2:
        os.close(result)
    return 0


class Background:
    """A call in a thread. Its end is waited for with a limit that only a hang reaches."""

    def __init__(self, function, *arguments):
        self.error = None
        self.thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self.thread.start()

    def _run(self, function, arguments):
        try:
            function(*arguments)
        except Exception as error:  # told by result()
            self.error = error

    def ended(self, seconds):
        self.thread.join(seconds)
        return not self.thread.is_alive()

    def result(self, seconds=JOIN_SECONDS):
        if not self.ended(seconds):
            raise AssertionError(f"still waiting after {seconds} s")
        if self.error:
            raise self.error
