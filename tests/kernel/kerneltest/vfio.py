# SPDX-License-Identifier: GPL-2.0-or-later
"""A device opened through VFIO's group interface (Linux: include/uapi/linux/vfio.h)."""

import fcntl
import os
import struct

from . import pci

BASE = 0x3B64
SET_IOMMU, GROUP_SET_CONTAINER, GROUP_GET_DEVICE_FD = BASE + 2, BASE + 4, BASE + 6
DEVICE_GET_REGION_INFO, DEVICE_RESET, DEVICE_HOT_RESET, DEVICE_FEATURE = BASE + 8, BASE + 11, BASE + 13, BASE + 17
TYPE1_IOMMU = 1
FEATURE_GET, FEATURE_SET, FEATURE_PROBE = 1 << 16, 1 << 17, 1 << 18
VF_TOKEN, LOW_POWER_ENTRY, LOW_POWER_EXIT, DMA_BUF = 0, 3, 5, 11
STATE_EVENTFD, STATE = 0xFE0B, 0xFE0C
CONFIG_REGION = 7
COMMAND, COMMAND_MEMORY, COMMAND_INTX_DISABLE = 4, 0x2, 0x400


def pack_export(region, ranges, open_flags=os.O_RDWR | os.O_CLOEXEC, flags=0, nr_ranges=None):
    """The whole request: the ranges stand behind it in the same buffer, and argsz counts all."""
    data = struct.pack("IIII", region, open_flags, flags, len(ranges) if nr_ranges is None else nr_ranges)
    data += b"".join(struct.pack("QQ", *entry) for entry in ranges)
    return bytearray(struct.pack("II", 8 + len(data), DMA_BUF | FEATURE_GET) + data)


class Device:
    """Owns container, group and device descriptors; close() gives the device back."""

    def __init__(self, address, token=None):
        """token: what the owner of the physical function has set, where this is one of its virtual functions."""
        self.address = address
        self.fd = self.group = self.container = None
        try:
            self._open(address, f"{address} vf_token={token}" if token else address)
        except BaseException:
            self.close()
            raise

    def _open(self, address, name):
        self.container = os.open("/dev/vfio/vfio", os.O_RDWR | os.O_CLOEXEC)
        self.group = os.open(f"/dev/vfio/{pci.group(address)}", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.group, GROUP_SET_CONTAINER, struct.pack("i", self.container))
        fcntl.ioctl(self.container, SET_IOMMU, TYPE1_IOMMU)
        self.fd = fcntl.ioctl(self.group, GROUP_GET_DEVICE_FD, bytearray(name.encode() + b"\0"))
        self.config_at = self._region_offset(CONFIG_REGION)
        self.set_memory(True)

    def close(self):
        for name in ("fd", "group", "container"):
            if getattr(self, name) is not None:
                os.close(getattr(self, name))
                setattr(self, name, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _region_offset(self, index):
        info = bytearray(struct.pack("IIIIQQ", 32, 0, index, 0, 0, 0))
        fcntl.ioctl(self.fd, DEVICE_GET_REGION_INFO, info)
        return struct.unpack("IIIIQQ", info)[5]

    def read_config(self, at, size):
        return int.from_bytes(os.pread(self.fd, size, self.config_at + at), "little")

    def write_config(self, at, size, value):
        os.pwrite(self.fd, value.to_bytes(size, "little"), self.config_at + at)

    def set_memory(self, on):
        command = self.read_config(COMMAND, 2) & ~COMMAND_MEMORY
        self.write_config(COMMAND, 2, command | (COMMAND_MEMORY if on else 0))

    def set_power(self, state):
        at = pci.capability(self.address, pci.CAP_PM) + 4
        self.write_config(at, 2, self.read_config(at, 2) & ~3 | state)

    def function_level_reset(self):
        at = pci.capability(self.address, pci.CAP_PCIE) + 8
        self.write_config(at, 2, self.read_config(at, 2) | 0x8000)

    def advanced_features_reset(self):
        at = pci.capability(self.address, pci.CAP_AF) + 4
        self.write_config(at, 1, 1)

    def reset(self):
        fcntl.ioctl(self.fd, DEVICE_RESET)

    def hot_reset(self):
        fcntl.ioctl(self.fd, DEVICE_HOT_RESET, struct.pack("IIIi", 16, 0, 1, self.group))

    def feature(self, number, flags, data=b"", argsz=None):
        """The ioctl's result and the data that it left."""
        request = bytearray(struct.pack("II", argsz or 8 + len(data), number | flags) + data)
        result = fcntl.ioctl(self.fd, DEVICE_FEATURE, request)
        return result, bytes(request[8:])

    def export(self, region, ranges, **options):
        """A dma-buf's descriptor. ranges: (offset, length)..."""
        return self.export_packed(pack_export(region, ranges, **options))

    def export_packed(self, request):
        """The descriptor, from what pack_export() made."""
        return fcntl.ioctl(self.fd, DEVICE_FEATURE, request, True)

    def state(self, dmabuf):
        """(0 live | 1 revoked, generation) of a dma-buf, from vfio-pci-vram."""
        _, data = self.feature(STATE, FEATURE_GET, struct.pack("iIQ", dmabuf, 0, 0))
        return struct.unpack("iIQ", data)[1:]
