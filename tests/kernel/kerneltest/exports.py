# SPDX-License-Identifier: GPL-2.0-or-later
"""What is exported, what is refused with which errno, who may attach."""

import errno
import os
import random
import resource
import struct

from . import pci, vfio
from .ground import PAGE, VRAM_BAR, errno_of
from .importer import Importer
from .tap import Skip, equal
from .vfio import Device

E = errno
TOP = 1 << 63
ROM, CONFIG = 6, 7
IO_BAR_OF_CARD, NO_BAR_OF_CARD = 2, 5
LIMIT = (4 << 20) // 16


def probe(device):
    return device.feature(vfio.DMA_BUF, vfio.FEATURE_PROBE | vfio.FEATURE_GET)[0]


def refusals(ground):
    """(name, errno, gpu or card, call): mainline's answers, which ours are."""
    _, size = pci.bar(ground.gpu, VRAM_BAR)
    page = [(0, PAGE)]

    def export(*arguments, **options):
        return lambda device: device.export(*arguments, **options)

    def raw(flags, data, argsz=None):
        return lambda device: device.feature(vfio.DMA_BUF, flags, data, argsz)[0]

    request = struct.pack("IIIIQQ", VRAM_BAR, os.O_RDWR, 0, 1, 0, PAGE)
    return [
        ("probe", 0, ground.gpu, probe),
        ("one page", 0, ground.gpu, export(VRAM_BAR, page)),
        ("the whole BAR", 0, ground.gpu, export(VRAM_BAR, [(0, size)])),
        ("the same page twice", 0, ground.gpu, export(VRAM_BAR, page * 2)),
        ("no range", E.EINVAL, ground.gpu, export(VRAM_BAR, [])),
        ("an unknown flag", E.EINVAL, ground.gpu, export(VRAM_BAR, page, flags=1)),
        ("length 0", E.EINVAL, ground.gpu, export(VRAM_BAR, [(0, 0)])),
        ("length 0 behind a good range", E.EINVAL, ground.gpu, export(VRAM_BAR, [*page, (PAGE, 0)])),
        ("offset not aligned", E.EINVAL, ground.gpu, export(VRAM_BAR, [(1, PAGE)])),
        ("length not aligned", E.EINVAL, ground.gpu, export(VRAM_BAR, [(0, PAGE + 1)])),
        ("beyond the BAR", E.EINVAL, ground.gpu, export(VRAM_BAR, [(size, PAGE)])),
        ("half beyond the BAR", E.EINVAL, ground.gpu, export(VRAM_BAR, [(size - PAGE, 2 * PAGE)])),
        ("offset that wraps", E.EOVERFLOW, ground.gpu, export(VRAM_BAR, [(2**64 - PAGE, PAGE)])),
        ("end that wraps", E.EOVERFLOW, ground.gpu, export(VRAM_BAR, [(TOP, TOP - PAGE)])),
        ("a wrap, and behind it length 0", E.EINVAL, ground.gpu, export(VRAM_BAR, [(2**64 - PAGE, PAGE), (0, 0)])),
        ("beyond the BAR, and behind it a wrap", E.EINVAL, ground.gpu,
         export(VRAM_BAR, [(size, PAGE), (2**64 - PAGE, PAGE)])),
        ("a wrap, and behind it beyond the BAR", E.EOVERFLOW, ground.gpu,
         export(VRAM_BAR, [(2**64 - PAGE, PAGE), (size, PAGE)])),
        ("an I/O port BAR, and a wrap", E.EINVAL, ground.card, export(IO_BAR_OF_CARD, [(2**64 - PAGE, PAGE)])),
        ("sum that wraps", E.EINVAL, ground.gpu, export(VRAM_BAR, [(0, TOP), (0, TOP)])),
        ("sum with the highest bit", E.EINVAL, ground.gpu, export(VRAM_BAR, [(0, TOP)])),
        ("4 GiB of a smaller BAR", E.EINVAL, ground.gpu, export(VRAM_BAR, [(0, 1 << 32)])),
        ("the ROM", E.ENODEV, ground.gpu, export(ROM, page)),
        ("config space", E.ENODEV, ground.gpu, export(CONFIG, page)),
        ("region 4294967295", E.ENODEV, ground.gpu, export(2**32 - 1, page)),
        ("the upper half of a 64-bit BAR", E.ENODEV, ground.gpu, export(VRAM_BAR + 1, page)),
        ("a BAR that does not exist", E.ENODEV, ground.card, export(NO_BAR_OF_CARD, page)),
        ("an I/O port BAR", E.EINVAL, ground.card, export(IO_BAR_OF_CARD, page)),
        (f"{LIMIT + 1} ranges", E.ENOMEM, ground.gpu, export(VRAM_BAR, page * (LIMIT + 1))),
        ("4294967295 ranges", E.ENOMEM, ground.gpu, export(VRAM_BAR, page, nr_ranges=2**32 - 1)),
        ("SET", E.EINVAL, ground.gpu, raw(vfio.FEATURE_SET, request)),
        ("argsz too small", E.EINVAL, ground.gpu, raw(vfio.FEATURE_GET, request, 8 + 15)),
    ]


def check_refusal(expected, address, call):
    with Device(address) as device:
        equal(errno_of(call, device), expected, "errno")


def layouts(ground):
    _, size = pci.bar(ground.gpu, VRAM_BAR)
    pages = list(range(0, size, 2 * PAGE))
    random.Random(6).shuffle(pages)
    return [
        ("one range", [(3 * PAGE, 5 * PAGE)]),
        ("the whole BAR", [(0, size)]),
        ("three ranges backwards", [(8 * PAGE, PAGE), (4 * PAGE, 2 * PAGE), (0, PAGE)]),
        ("neighbours", [(0, PAGE), (PAGE, 2 * PAGE), (3 * PAGE, PAGE), (5 * PAGE, PAGE)]),
        ("4096 neighbours and a page", [(at, PAGE) for at in range(0, 4096 * PAGE, PAGE)] + [(size - PAGE, PAGE)]),
        ("overlap and repetition", [(0, 2 * PAGE), (PAGE, 2 * PAGE), (PAGE, 2 * PAGE)]),
        ("4K in 8100 single pages", [(at, PAGE) for at in pages[:8100]]),
        ("65536 single pages", [(at, PAGE) for at in sorted(pages, reverse=True)] * 8),
    ]


def check_more_than_4_gib(ground):
    """A scatterlist entry's length is 32 bits wide; a range's is not."""
    _, size = pci.bar(ground.large_gpu, VRAM_BAR)
    with ground.exported(ground.large_gpu, VRAM_BAR, [(0, size)]) as (_, dmabuf, importer):
        equal(os.lseek(dmabuf, 0, os.SEEK_END), size, "size of the dma-buf")
        equal(sum(length for _, length in importer.scatterlist()), size, "sum of the scatterlist")


def check_layout(ground, ranges):
    with ground.exported(ground.gpu, VRAM_BAR, ranges) as (_, dmabuf, importer):
        size = sum(length for _, length in ranges)
        equal(os.lseek(dmabuf, 0, os.SEEK_END), size, "size of the dma-buf")
        equal(sum(length for _, length in importer.scatterlist()), size, "sum of the scatterlist")


def check_attach_rules(ground):
    with Device(ground.gpu) as device:
        dmabuf = device.export(VRAM_BAR, [(0, PAGE)])
        for mode in ("static", "no-p2p"):
            equal(errno_of(Importer, dmabuf, ground.peer, mode), errno.EOPNOTSUPP, f"attach of a {mode} importer")
        os.close(dmabuf)


def check_no_descriptor_left(ground):
    """dma_buf_fd() fails; nothing of the buffer may stay, or the device could never be given back."""
    with Device(ground.gpu) as device:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        held = os.dup(0)
        os.close(held)
        resource.setrlimit(resource.RLIMIT_NOFILE, (held, limits[1]))
        try:
            equal(errno_of(device.export, VRAM_BAR, [(0, PAGE)]), errno.EMFILE, "export")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    pci.bind(ground.gpu, ground.driver)  # unbinds first


def check_off_by_default(ground, switch):
    """A kernel that cannot check routes exports nothing until it is told to."""
    if "CONFIG_PCI_P2PDMA=y" in kernel_config():
        raise Skip("this kernel checks peer-to-peer routes")
    switch.write_text("0")
    try:
        with Device(ground.gpu) as device:
            equal(errno_of(probe, device), errno.EOPNOTSUPP, "probe")
            equal(errno_of(device.export, VRAM_BAR, [(0, PAGE)]), errno.EOPNOTSUPP, "export")
    finally:
        switch.write_text("1")


def kernel_config():
    with open("/vramlink/modules/config", encoding="ascii") as file:
        return file.read().splitlines()
