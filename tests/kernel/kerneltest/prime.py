# SPDX-License-Identifier: GPL-2.0-or-later
"""A real importer: virtio-gpu, through DRM's PRIME ioctls."""

import errno
import fcntl
import os
import struct

from . import vfio
from .ground import PAGE, VRAM_BAR, errno_of
from .tap import Skip, equal
from .vfio import Device

CARD = "/dev/dri/card0"
GEM_CLOSE, PRIME_FD_TO_HANDLE = 0x40086409, 0xC00C642E


class Card:
    def __init__(self):
        if not os.path.exists(CARD):
            raise Skip("no display GPU")
        self.fd = os.open(CARD, os.O_RDWR | os.O_CLOEXEC)

    def import_(self, dmabuf):
        request = bytearray(struct.pack("IIi", 0, 0, dmabuf))
        fcntl.ioctl(self.fd, PRIME_FD_TO_HANDLE, request)
        return struct.unpack("IIi", request)[0]

    def close_handle(self, handle):
        fcntl.ioctl(self.fd, GEM_CLOSE, struct.pack("II", handle, 0))


def check_virtio_gpu(ground):
    """Imported, taken away and imported again; no revocation waits for it longer than it takes."""
    card = Card()
    with Device(ground.gpu) as device:
        dmabuf = device.export(VRAM_BAR, [(at * 2 * PAGE, PAGE) for at in range(100)])
        refusal = errno_of(card.import_, dmabuf)
        if refusal == errno.EOPNOTSUPP:
            os.close(dmabuf)
            raise Skip("this kernel's virtio-gpu imports no buffer of a peer")
        for _ in range(3):
            handle = card.import_(dmabuf)
            device.reset()
            card.close_handle(handle)
        handle = card.import_(dmabuf)
        device.set_memory(False)
        card.close_handle(handle)
        equal(errno_of(card.import_, dmabuf), errno.ENODEV, "import while memory is off")
        device.set_memory(True)
        handle = card.import_(dmabuf)
        device.close()
        if ground.ours:
            with Device(ground.gpu) as again:
                equal(errno_of(again.feature, vfio.STATE, vfio.FEATURE_GET, struct.pack("iIQ", dmabuf, 0, 0)),
                      errno.EINVAL, "state after the close")
        card.close_handle(handle)
        os.close(dmabuf)
    os.close(card.fd)
