# SPDX-License-Identifier: GPL-2.0-or-later
"""Inside the guest: what its kernel says that a CRTC shows, read from the framebuffer's own memory.

Plain ioctls (Linux: include/uapi/drm/drm_mode.h), so that nothing of the display stack under test is needed but the
kernel. DRM_IOCTL_MODE_GETFB2 hands root a GEM handle for whatever is on the CRTC: modetest's, a compositor's, fbcon's.
"""

import ctypes
import fcntl
import glob
import mmap
import os
import struct

GEM_CLOSE = 0x40086409
DROP_MASTER = 0x0000641F
GETRESOURCES = 0xC04064A0
GETCRTC = 0xC06864A1
MAP_DUMB = 0xC01064B3
GETFB2 = 0xC06864CE
FORMATS = {b"XR24", b"AR24"}  # bytes in memory: blue, green, red, unused or alpha


class Dark(RuntimeError):
    """The CRTC is off or shows no framebuffer."""


def crtc_ids(fd):
    count = struct.unpack_from("<I", fcntl.ioctl(fd, GETRESOURCES, bytes(64)), 36)[0]
    ids = mmap.mmap(-1, max(4 * count, 4))  # a fixed address for the kernel to write to
    where = memory_address(ids)
    request = struct.pack("<QQQQIIIIIIII", 0, where, 0, 0, 0, count, 0, 0, 0, 0, 0, 0)
    fcntl.ioctl(fd, GETRESOURCES, request)
    return list(struct.unpack_from(f"<{count}I", ids))


def memory_address(mapping):
    return ctypes.addressof(ctypes.c_char.from_buffer(mapping))


def rgb_rows(memory, offset, pitch, rectangle):
    """Packed red, green, blue of a rectangle (x, y, width, height)."""
    x, y, width, height = rectangle
    out = bytearray(width * height * 3)
    for row in range(height):
        start = offset + (y + row) * pitch + x * 4
        line = memory[start:start + width * 4]
        to = row * width * 3
        for channel, source in enumerate((2, 1, 0)):
            out[to + channel:to + width * 3:3] = line[source::4]
    return bytes(out)


def mapped(fd, handle, size):
    offset = struct.unpack("<IIQ", fcntl.ioctl(fd, MAP_DUMB, struct.pack("<IIQ", handle, 0, 0)))[2]
    return mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset)


def read_crtc(fd, crtc_id):
    """(width, height, rgb) of what the CRTC shows."""
    crtc = fcntl.ioctl(fd, GETCRTC, struct.pack("<QII", 0, 0, crtc_id) + bytes(88))
    fb_id, x, y, _, mode_valid = struct.unpack_from("<IIIII", crtc, 16)
    width, height = struct.unpack_from("<H", crtc, 40)[0], struct.unpack_from("<H", crtc, 50)[0]
    if not fb_id or not mode_valid:
        raise Dark(f"CRTC {crtc_id} shows nothing")
    fb = fcntl.ioctl(fd, GETFB2, struct.pack("<I", fb_id) + bytes(100))
    fourcc = fb[12:16]
    handle, pitch, offset = (struct.unpack_from("<I", fb, at)[0] for at in (20, 36, 52))
    if fourcc not in FORMATS:
        raise ValueError(f"the framebuffer's format is {fourcc}, and only {FORMATS} are read here")
    try:
        with mapped(fd, handle, offset + (y + height) * pitch) as memory:
            return width, height, rgb_rows(memory, offset, pitch, (x, y, width, height))
    finally:
        fcntl.ioctl(fd, GEM_CLOSE, struct.pack("<II", handle, 0))


def read_head(number):
    """(width, height, rgb) of the head with that number, of the only card."""
    cards = glob.glob("/dev/dri/card*")
    if not cards:
        raise Dark("there is no card")
    fd = os.open(cards[0], os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            fcntl.ioctl(fd, DROP_MASTER)  # whoever opens first becomes master; only a user of the display should be
        except OSError:
            pass
        return read_crtc(fd, crtc_ids(fd)[number])
    finally:
        os.close(fd)
