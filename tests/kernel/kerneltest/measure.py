# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures, for comparison between drivers in one run. No figure fails a test but those of memory."""

import os
import re
import time

from . import pci
from .ground import PAGE, VRAM_BAR, Ground
from .importer import Importer
from .tap import equal, note
from .vfio import Device, pack_export

ROUNDS = 15
TURNS = 3  # of the drivers, one after the other: what slows the machine down slows both
COUNTS = (8100, 65536)
HELD = 32  # dma-bufs that live at once
MAPPINGS = 200
LEAK_RANGES = 8000
RANGE_BYTES = 16  # struct phys_vec
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


def memory_per_range(ground):
    """Bytes that a range costs while its dma-buf lives."""
    count = max(COUNTS)
    with Device(ground.gpu) as device:
        request = pack_export(VRAM_BAR, scattered(ground, count))
        os.close(device.export_packed(request))
        before = used_bytes()
        held = [device.export_packed(request) for _ in range(HELD)]
        after = used_bytes()
        for dmabuf in held:
            os.close(dmabuf)
    return (after - before) / HELD / count


def compare(drivers):
    """Exports with one driver and the other, in turns, as a table."""
    exports = {}
    for _ in range(TURNS):
        for driver in drivers:
            ground = Ground(driver)
            ground.bind()
            for count in COUNTS:
                took = times(ground, count)[0]
                exports[count, driver] = min(took, exports.get((count, driver), took))
    memory = {}
    for driver in drivers:
        ground = Ground(driver)
        ground.bind()
        memory[driver] = memory_per_range(ground)
    first, second = drivers
    note(f"{'':24} | {first:>13} | {second:>13} | ratio")
    for count in COUNTS:
        one, two = exports[count, first], exports[count, second]
        note(f"{f'export, {count} ranges':24} | {one:10.2f} ms | {two:10.2f} ms | {two / one:.2f}")
    note(f"{'memory of a range':24} | {memory[first]:7.1f} bytes | {memory[second]:7.1f} bytes | "
         f"{memory[second] / memory[first]:.2f}")
    equal(memory[second] < RANGE_BYTES + 1, True, "the memory of a range is the address and the length alone")


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
