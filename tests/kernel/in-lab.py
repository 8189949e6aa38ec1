#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in L1: the tests of kernel/, on vfio-pci-vram or on the kernel's own vfio-pci. See run-in-lab.

in-lab.py DRIVER...    The modules lie in /vramlink/modules.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kerneltest import exports, measure, prime, revocation, snippets, sriov  # noqa: E402
from kerneltest.ground import Ground  # noqa: E402
from kerneltest.tap import Skip, Suite, equal, note  # noqa: E402

MODULES = Path("/vramlink/modules")
PARAMETERS = Path("/sys/module/vfio_pci_vram/parameters")
KMEMLEAK = Path("/sys/kernel/debug/kmemleak")
ONLY = os.environ.get("VRAMLINK_ONLY", "")
STORM_ROUNDS = int(os.environ.get("VRAMLINK_STORM", "100"))


def load():
    subprocess.run(["modprobe", "-a", "vfio-pci", "vfio_iommu_type1"], check=True)
    subprocess.run(["insmod", MODULES / "vram-importer.ko"], check=True)
    load_vram()


def load_vram():
    subprocess.run(["insmod", MODULES / "vfio-pci-vram.ko", "unchecked_p2p=1", "warn_after=1"], check=True)


def check_leak(ground):
    left, total = measure.leaked_by_mappings(ground)
    note(f"{ground.driver}: {measure.MAPPINGS} mappings of {measure.LEAK_RANGES} ranges left {left >> 10} KiB "
         f"of {total >> 10} KiB")
    if ground.ours:
        equal(left < total // 4, True, "the scatterlists were freed")


def check_times(ground):
    for count in measure.COUNTS:
        export_ms, map_ms = measure.times(ground, count)
        note(f"{ground.driver}: {count} ranges: export {export_ms:.2f} ms, attach and map {map_ms:.2f} ms")


def check_kmemleak():
    """Twice, as an object whose last pointer is in a register looks leaked for a moment."""
    if not KMEMLEAK.exists():
        raise Skip("this kernel has no kmemleak")
    for _ in range(2):
        KMEMLEAK.write_text("scan")
        time.sleep(6)  # objects younger than five seconds are not reported
    equal(KMEMLEAK.read_text(), "", "what kmemleak suspects")


def check_unload(ground):
    """Nothing holds the module when its devices went to another driver."""
    for address in ground.devices():
        (Path("/sys/bus/pci/devices") / address / "driver/unbind").write_text(address)
    subprocess.run(["rmmod", "vfio-pci-vram"], check=True)
    load_vram()


def run(suite, ground):
    ours = ground.ours
    if ours:
        suite.run("nothing is exported without a check of the route", exports.check_off_by_default, ground,
                  PARAMETERS / "unchecked_p2p")
    for name, expected, address, call in exports.refusals(ground):
        suite.run(f"export: {name}", exports.check_refusal, expected, address, call)
    for name, ranges in exports.layouts(ground):
        suite.run(f"layout: {name}", exports.check_layout, ground, ranges)
    suite.run("layout: 8 GiB", exports.check_more_than_4_gib, ground)
    suite.run("only importers that can let go of a peer's memory", exports.check_attach_rules, ground)
    for event in revocation.events(ground):
        suite.run(f"revoked by {event.name}", revocation.check_event, ground, event)
    suite.run("hot reset of a set that is half open", revocation.check_half_open_set, ground)
    suite.run("a value that changes while it is read", revocation.check_racing_write, ground)
    suite.run("not revoked by harmless writes", revocation.check_harmless_writes, ground)
    suite.run("memory off in a long write", revocation.check_long_write, ground)
    suite.run("export while memory is off", revocation.check_export_while_off, ground)
    suite.run("two reasons at once", revocation.check_two_reasons, ground)
    suite.run("the device is closed", revocation.check_close, ground, lambda device: None)
    suite.run("the device is closed after a revocation", revocation.check_close, ground,
              lambda device: device.set_memory(False))
    suite.run("the driver is unbound", revocation.check_unbind, ground)
    suite.run("a lazy importer is waited for", revocation.check_waits, ground, "lazy", None, "unmap", "unmap")
    suite.run("a fence is waited for", revocation.check_waits, ground, "eager", "fence", "signal", "fences")
    suite.run("a lazy importer and the close", revocation.check_lazy_close, ground)
    suite.run("virtio-gpu imports", prime.check_virtio_gpu, ground)
    suite.run("a virtual function", sriov.check_of_another_driver, ground)
    suite.run("mappings leave nothing behind", check_leak, ground)
    suite.run("times", check_times, ground)
    if ours:  # what mainline lacks or does not survive
        suite.run("no descriptor left", exports.check_no_descriptor_left, ground)
        suite.run("an O_PATH descriptor", revocation.check_path_descriptor, ground)
        suite.run("revocations are told", revocation.check_events_told, ground)
        suite.run("told before anybody is waited for", revocation.check_told_before_waiting, ground)
        suite.run("other writes while an importer is waited for", revocation.check_writes_while_waiting, ground)
        suite.run("a virtual function of a card of ours", sriov.check_of_ours, ground, PARAMETERS / "enable_sriov")
        suite.run("the udev rule", snippets.check_udev_rule, ground)
        suite.run("the modprobe options", snippets.check_modprobe_options)
        suite.run("a storm", revocation.check_storm, ground, STORM_ROUNDS)
        suite.run("unload", check_unload, ground)


def begin(driver):
    """The devices with that driver, and a suite on them."""
    ground = Ground(driver)
    ground.bind()
    return ground, Suite(f"{os.uname().release.split('-')[0]} {driver}", ground.log_is_clean, ONLY)


def main():
    load()
    failed = 0
    for driver in sys.argv[1:]:
        ground, suite = begin(driver)
        run(suite, ground)
        failed += suite.failed
    ground, suite = begin("vfio-pci-vram")
    if "vfio-pci" in sys.argv:
        suite.run("times against mainline", measure.compare, ["vfio-pci", "vfio-pci-vram"])
    suite.run("revoked by a fatal error", revocation.check_error, ground)
    suite.run("kmemleak suspects nothing", check_kmemleak)
    sys.exit(1 if failed + suite.failed else 0)


if __name__ == "__main__":
    main()
