# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures, for comparison between drivers in one run. No figure fails a test but leaked memory."""

import os
import re
import time

from . import pci
from .ground import PAGE, VRAM_BAR
from .importer import Importer
from .vfio import Device, pack_export

ROUNDS = 15
MAPPINGS = 200
LEAK_RANGES = 8000
ENTRY_BYTES = 32  # struct scatterlist


def scattered(ground, count):
    _, size = pci.bar(ground.gpu, VRAM_BAR)
    pages = list(range(size - 2 * PAGE, -1, -2 * PAGE))
    return [(pages[n % len(pages)], PAGE) for n in range(count)]


def quickest(action):
    best = None
    for _ in range(ROUNDS):
        start = time.perf_counter()
        undo = action()
        took = time.perf_counter() - start
        undo()
        best = took if best is None else min(best, took)
    return best * 1e3


def times(ground, count):
    """Milliseconds, the quickest of some: export; attach and map."""
    ranges = scattered(ground, count)
    with Device(ground.gpu) as device:
        request = pack_export(VRAM_BAR, ranges)

        def export():
            dmabuf = device.export_packed(request)
            return lambda: os.close(dmabuf)

        export_ms = quickest(export)
        dmabuf = device.export(VRAM_BAR, ranges)

        def attach_and_map():
            importer = Importer(dmabuf, ground.peer)
            importer.do("map")
            return importer.close

        map_ms = quickest(attach_and_map)
        os.close(dmabuf)
    return export_ms, map_ms


def used_bytes():
    """Long scatterlists come from the page allocator, not from slabs."""
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")
    with open("/proc/meminfo", encoding="ascii") as file:
        values = dict(re.findall(r"^(MemTotal|MemFree): *(\d+) kB", file.read(), re.MULTILINE))
    return (int(values["MemTotal"]) - int(values["MemFree"])) * 1024


def leaked_by_mappings(ground):
    """Bytes of kernel memory that mapping and unmapping left behind, and what all scatterlists together were."""
    with Device(ground.gpu) as device:
        dmabuf = device.export(VRAM_BAR, scattered(ground, LEAK_RANGES))
        with Importer(dmabuf, ground.peer) as importer:
            importer.do("map")
            importer.do("unmap")
            before = used_bytes()
            for _ in range(MAPPINGS):
                importer.do("map")
                importer.do("unmap")
            after = used_bytes()
        os.close(dmabuf)
    return after - before, MAPPINGS * LEAK_RANGES * ENTRY_BYTES
