# SPDX-License-Identifier: GPL-2.0-or-later
"""What takes a buffer away, what brings it back, and who is waited for meanwhile."""

import errno
import mmap
import os
import random
import re
import select
import struct
import subprocess
import threading
import time

from . import pci, vfio
from .ground import JOIN_SECONDS, PAGE, VRAM_BAR, Background, errno_of
from .importer import Importer
from .tap import Skip, equal, note
from .vfio import Device

CARD_BAR = 0
RANGES = [(16 * PAGE, PAGE), (2 * PAGE, 3 * PAGE), (8 * PAGE, PAGE)]
A_WHILE = 3  # seconds that something must not happen in


class Event:
    """off takes the memory away, on brings it back; None: it comes back by itself."""

    def __init__(self, name, device, off, on=None, ours_only=False):
        self.name, self.device, self.off, self.on, self.ours_only = name, device, off, on, ours_only


def low_power(device, number):
    device.feature(number, vfio.FEATURE_SET)


def sysfs_reset(device):
    (pci.DEVICES / device.address / "reset").write_text("1")


def advanced_features_reset(device):
    """Through the capability in config space; that Linux has no better way is seen first."""
    methods = (pci.DEVICES / device.address / "reset_method").read_text().split()
    equal(methods[0], "af_flr", f"the first of the device's reset methods, which are {methods}")
    device.advanced_features_reset()


def events(ground):
    gpu, card, af_gpu = (ground.gpu, VRAM_BAR), (ground.card, CARD_BAR), (ground.af_gpu, VRAM_BAR)
    return [
        Event("memory off, on", gpu, lambda d: d.set_memory(False), lambda d: d.set_memory(True)),
        Event("D3hot, D0", card, lambda d: d.set_power(3), lambda d: d.set_power(0)),
        Event("function-level reset through config space", card, Device.function_level_reset),
        Event("reset through the Advanced Features capability", af_gpu, advanced_features_reset),
        Event("VFIO_DEVICE_RESET", gpu, Device.reset),
        Event("VFIO_DEVICE_RESET of a device with FLR", card, Device.reset),
        Event("hot reset", gpu, Device.hot_reset),
        Event("low power, out of it", card, lambda d: low_power(d, vfio.LOW_POWER_ENTRY),
              lambda d: low_power(d, vfio.LOW_POWER_EXIT)),
        Event("reset by root, through sysfs", card, sysfs_reset, ours_only=True),
    ]


def check_event(ground, event):
    if event.ours_only and not ground.ours:
        raise Skip("mainline does not see it")
    address, bar = event.device
    with ground.exported(address, bar, RANGES) as (device, dmabuf, importer):
        for turn in (1, 2, 3):  # again and again: a buffer must not stay dead
            before = importer.status()["notified"]
            event.off(device)
            if importer.status()["notified"] == before:
                raise AssertionError("the importer was not told")
            equal(importer.status()["mapped"], 0, "mapped")
            if event.on:
                ground.refused(dmabuf, importer)
                event.on(device)
            if ground.ours:
                equal(device.state(dmabuf), (0, 2 * turn), "state and generation")
            ground.returned(address, bar, RANGES, importer)


def check_error(ground):
    """A fatal error, injected. Its recovery fails in the lab (the port's reset does), so the buffer stays revoked,
    and the device is gone for good: the last test of all."""
    if subprocess.run(["modprobe", "aer_inject"], check=False).returncode or not os.path.exists("/dev/aer_inject"):
        raise Skip("this kernel has no aer_inject")
    bus, slot, function = (int(word, 16) for word in re.match(r"\w+:(\w+):(\w+)\.(\w)", ground.card).groups())
    malformed_tlp = 1 << 18
    error = struct.pack("BBBxIIIIIII", bus, slot, function, malformed_tlp, 0, 0, 0, 0, 0, 0)
    with ground.exported(ground.card, CARD_BAR, RANGES) as (device, dmabuf, importer):
        inject = os.open("/dev/aer_inject", os.O_WRONLY)
        try:
            os.write(inject, error)
        finally:
            os.close(inject)
        wait_until(lambda: device.state(dmabuf) == (1, 1), "revoked")
        ground.refused(dmabuf, importer)


def wait_until(condition, what):
    for _ in range(JOIN_SECONDS * 10):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {JOIN_SECONDS} s: {what}")


def check_half_open_set(ground):
    """A device of the set that nobody opened has no buffers and no state to look at."""
    with ground.exported(ground.set[0], VRAM_BAR, RANGES) as (device, _, importer):
        for _ in range(2):
            device.hot_reset()
            equal(importer.status()["mapped"], 0, "mapped")
            ground.returned(ground.set[0], VRAM_BAR, RANGES, importer)


def check_racing_write(ground):
    """The value written to the command register changes under the kernel: whatever it was, it holds for both."""
    with ground.exported(ground.gpu, VRAM_BAR, RANGES) as (device, dmabuf, importer):
        command = device.read_config(vfio.COMMAND, 2)
        values = [value.to_bytes(2, "little") for value in (command | vfio.COMMAND_MEMORY, command & ~vfio.COMMAND_MEMORY)]
        page = mmap.mmap(-1, PAGE)
        stop = threading.Event()

        def change():
            while not stop.is_set():
                page[0:2] = values[0]
                page[0:2] = values[1]

        changer = Background(change)
        counts = {True: 0, False: 0}
        try:
            for _ in range(300):
                os.pwrite(device.fd, memoryview(page)[0:2], device.config_at + vfio.COMMAND)
                on = bool(device.read_config(vfio.COMMAND, 2) & vfio.COMMAND_MEMORY)
                counts[on] += 1
                if not on:
                    ground.refused(dmabuf, importer)
                elif not importer.status()["mapped"]:
                    importer.do("map")
        finally:
            stop.set()
            changer.result()
        note(f"memory was on after {counts[True]} writes, off after {counts[False]}")


def check_harmless_writes(ground):
    """Writes to the command and power registers that leave the memory on are no revocation."""
    with ground.exported(ground.card, CARD_BAR, RANGES) as (device, _, importer):
        before = importer.status()["notified"]
        command = device.read_config(vfio.COMMAND, 2)
        device.write_config(vfio.COMMAND, 2, command | vfio.COMMAND_INTX_DISABLE)
        device.write_config(vfio.COMMAND + 1, 1, 0)
        device.write_config(0, 4, 0)
        device.set_power(0)
        device.set_memory(True)
        equal(importer.status()["notified"], before, "notifications")
        equal(importer.status()["mapped"], 1, "mapped")


def check_long_write(ground):
    """The command register in the middle of one long write."""
    with ground.exported(ground.gpu, VRAM_BAR, RANGES) as (device, dmabuf, importer):
        config = bytearray(os.pread(device.fd, 16, device.config_at))
        config[vfio.COMMAND] &= ~vfio.COMMAND_MEMORY
        os.pwrite(device.fd, config, device.config_at)
        ground.refused(dmabuf, importer)
        device.set_memory(True)
        ground.returned(ground.gpu, VRAM_BAR, RANGES, importer)


def check_export_while_off(ground):
    with Device(ground.gpu) as device:
        device.set_memory(False)
        dmabuf = device.export(VRAM_BAR, RANGES)
        equal(errno_of(Importer, dmabuf, ground.peer), errno.ENODEV, "attach")
        device.set_memory(True)
        with Importer(dmabuf, ground.peer) as importer:
            ground.returned(ground.gpu, VRAM_BAR, RANGES, importer)
        os.close(dmabuf)


def check_two_reasons(ground):
    """A reset while memory is off brings nothing back; memory that is off in D3 neither."""
    with ground.exported(ground.card, CARD_BAR, RANGES) as (device, dmabuf, importer):
        device.set_memory(False)
        device.reset()
        ground.refused(dmabuf, importer)
        device.set_memory(True)
        device.set_power(3)
        ground.refused(dmabuf, importer)
        device.set_power(0)
        ground.returned(ground.card, CARD_BAR, RANGES, importer)


def check_close(ground, first):
    """The device is closed; dma-buf and importer stay. Nothing brings the memory back."""
    with Device(ground.gpu) as device:
        dmabuf = device.export(VRAM_BAR, RANGES)
        with Importer(dmabuf, ground.peer) as importer:
            importer.do("map")
            first(device)
            device.close()
            ground.refused(dmabuf, importer)
            with Device(ground.gpu) as again:
                ground.refused(dmabuf, importer)
                if ground.ours:
                    request = struct.pack("iIQ", dmabuf, 0, 0)
                    equal(errno_of(again.feature, vfio.STATE, vfio.FEATURE_GET, request), errno.EINVAL, "state")
        os.close(dmabuf)


def check_unbind(ground):
    """The driver is taken away under a live importer."""
    with Device(ground.gpu) as device:
        dmabuf = device.export(VRAM_BAR, RANGES)
        with Importer(dmabuf, ground.peer) as importer:
            importer.do("map")
            driver = pci.DEVICES / ground.gpu / "driver"
            unbind = Background((driver / "unbind").write_text, ground.gpu)
            equal(unbind.ended(1), False, "unbind ended while the device was open")
            device.close()
            unbind.result()
            ground.refused(dmabuf, importer)
        os.close(dmabuf)
    pci.bind(ground.gpu, ground.driver)


def check_waits(ground, mode, begin, end, word):
    """The reset waits for the importer, and the log says so."""
    ground.new_log()
    with ground.exported(ground.gpu, VRAM_BAR, RANGES, mode) as (device, dmabuf, importer):
        if begin:
            importer.do(begin)
        reset = Background(device.reset)
        equal(reset.ended(A_WHILE), False, "the reset ended without its importer")
        if ground.ours:  # who waits does not hold the reservation lock meanwhile
            equal(errno_of(importer.do, "pin") in (0, errno.EOPNOTSUPP), True, "pin")
        importer.do(end)
        reset.result()
        if ground.ours:
            named = [line for line in ground.new_log() if "revocation waits" in line and word in line]
            equal(bool(named), True, f"a line of the log with '{word}'")
        if mode == "lazy":
            ground.returned(ground.gpu, VRAM_BAR, RANGES, importer)


def check_lazy_close(ground):
    """Like xe: unmapped when the handle goes. Then the device can be closed."""
    with Device(ground.gpu) as device:
        dmabuf = device.export(VRAM_BAR, RANGES)
        importer = Importer(dmabuf, ground.peer, "lazy")
        importer.do("map")
        closing = Background(device.close)
        equal(closing.ended(A_WHILE), False, "closed while the importer had it mapped")
        importer.close()
        closing.result()
        os.close(dmabuf)


def check_path_descriptor(ground):
    """O_PATH keeps the dma-buf's dentry when its file is gone: no reference can be taken on the file then."""
    with Device(ground.gpu) as device:
        dmabuf = device.export(VRAM_BAR, RANGES)
        path = os.open(f"/proc/self/fd/{dmabuf}", os.O_PATH)
        other = device.export(VRAM_BAR, RANGES)
        os.close(dmabuf)
        device.reset()
        device.set_memory(False)
        device.set_memory(True)
        with Importer(other, ground.peer) as importer:
            ground.returned(ground.gpu, VRAM_BAR, RANGES, importer)
        os.close(other)
        device.close()
        os.close(path)


def check_events_told(ground):
    with Device(ground.gpu) as device:
        event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        device.feature(vfio.STATE_EVENTFD, vfio.FEATURE_SET, struct.pack("iI", event, 0))
        device.reset()
        equal(select.select([event], [], [], 0)[0], [], "an event without a dma-buf")
        dmabuf = device.export(VRAM_BAR, RANGES)
        equal(device.state(dmabuf), (0, 0), "state")
        device.set_memory(False)
        equal(os.eventfd_read(event), 1, "events")
        equal(device.state(dmabuf), (1, 1), "state")
        device.set_memory(True)
        equal(os.eventfd_read(event), 1, "events")
        equal(device.state(dmabuf), (0, 2), "state")
        device.feature(vfio.STATE_EVENTFD, vfio.FEATURE_SET, struct.pack("iI", -1, 0))
        device.reset()
        equal(select.select([event], [], [], 0)[0], [], "an event after it was taken away")
        bad = [(vfio.STATE_EVENTFD, vfio.FEATURE_SET, struct.pack("iI", event, 1), errno.EINVAL),
               (vfio.STATE_EVENTFD, vfio.FEATURE_SET, struct.pack("iI", -2, 0), errno.EINVAL),
               (vfio.STATE_EVENTFD, vfio.FEATURE_SET, struct.pack("iI", 9999, 0), errno.EBADF),
               (vfio.STATE_EVENTFD, vfio.FEATURE_SET, struct.pack("iI", 0, 0), errno.EINVAL),
               (vfio.STATE, vfio.FEATURE_GET, struct.pack("iIQ", event, 0, 0), errno.EINVAL),
               (vfio.STATE, vfio.FEATURE_GET, struct.pack("iIQ", 9999, 0, 0), errno.EBADF)]
        for number, flags, data, expected in bad:
            equal(errno_of(device.feature, number, flags, data), expected, f"feature {number:x} {data!r}")
        os.close(dmabuf)
        os.close(event)


def check_told_before_waiting(ground):
    """The event comes while an importer keeps the buffer: its program hears of it, looks, and goes on meanwhile."""
    with ground.exported(ground.card, CARD_BAR, RANGES, "lazy") as (device, dmabuf, importer):
        other = device.export(CARD_BAR, RANGES)
        event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        device.feature(vfio.STATE_EVENTFD, vfio.FEATURE_SET, struct.pack("iI", event, 0))
        reset = Background(sysfs_reset, device)
        meanwhile = None
        try:
            equal(select.select([event], [], [], JOIN_SECONDS)[0], [event], "an event")
            equal((device.state(dmabuf), device.state(other)), ((1, 1), (1, 1)), "state")
            meanwhile = device.export(CARD_BAR, RANGES)
            equal(device.state(meanwhile), (1, 0), "state of one that was exported meanwhile")
            equal(errno_of(Importer, dmabuf, ground.peer), errno.ENODEV, "attach")
            equal(reset.ended(0), False, "the reset ended without its importer")
        finally:
            importer.do("unmap")
        reset.result()
        equal([device.state(fd) for fd in (dmabuf, other, meanwhile)], [(0, 2), (0, 2), (0, 1)], "states")
        ground.returned(ground.card, CARD_BAR, RANGES, importer)
        for fd in (other, meanwhile, event):
            os.close(fd)


def check_writes_while_waiting(ground):
    """A write to the command register that takes nothing away is not held up by one whose importers are waited for."""
    with ground.exported(ground.gpu, VRAM_BAR, RANGES, "lazy") as (device, dmabuf, importer):
        on = device.read_config(vfio.COMMAND, 2)
        off = Background(device.set_memory, False)
        try:
            wait_until(lambda: device.state(dmabuf) == (1, 1), "revoked")
            write = Background(device.write_config, vfio.COMMAND, 2, on)
            equal(write.ended(JOIN_SECONDS), True, "the write ended")
            equal(off.ended(0), False, "memory went off without its importer")
            equal(device.state(dmabuf), (1, 1), "state")
        finally:
            importer.do("unmap")
        off.result()
        write.result()
        ground.refused(dmabuf, importer)
        device.set_memory(True)
        ground.returned(ground.gpu, VRAM_BAR, RANGES, importer)


def check_storm(ground, rounds, threads=4):
    """Exports, imports, resets and closes at once; every buffer is gone at the end, and the device is not."""
    with Device(ground.gpu) as device:
        def work(seed):
            dice = random.Random(seed)
            for _ in range(rounds):
                turn(device, dice)

        def turn(device, dice):
            dmabuf = device.export(VRAM_BAR, [(dice.randrange(1000) * PAGE, PAGE) for _ in range(dice.randrange(1, 9))])
            importer = Importer()
            try:
                importer.attach(dmabuf, ground.peer, "eager")
                importer.do("map")
                if dice.random() < 0.3:
                    device.reset()
                elif dice.random() < 0.3:
                    device.set_memory(dice.random() < 0.5)
            except OSError as error:
                if error.errno not in (errno.ENODEV, errno.EBUSY, errno.EAGAIN):
                    raise
            finally:
                for close in dice.sample([importer.close, lambda: os.close(dmabuf)], 2):
                    close()

        jobs = [Background(work, seed) for seed in range(threads)]
        for job in jobs:
            job.result(JOIN_SECONDS + rounds)
        note(f"{rounds * threads} buffers from {threads} threads")
    with ground.exported(ground.gpu, VRAM_BAR, RANGES):
        pass
