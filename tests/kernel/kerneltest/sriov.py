# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual functions (SR-IOV): of a card whose own driver makes them, and of a card that VFIO owns."""

import errno
import subprocess
import uuid
from contextlib import contextmanager

from . import pci, vfio
from .ground import PAGE, errno_of
from .tap import Skip, equal
from .vfio import Device

VF_BAR = 0  # 16 KiB
VF_RANGES = [(2 * PAGE, PAGE), (0, PAGE)]


@contextmanager
def one_virtual_function(card):
    """Its address. The card's driver makes it, and removes it at the end."""
    numbers = pci.DEVICES / card / "sriov_numvfs"
    numbers.write_text("1")
    try:
        yield (pci.DEVICES / card / "virtfn0").resolve().name
    finally:
        numbers.write_text("0")


def exports_and_comes_back(ground, address, token=None):
    """The virtual function's memory as a dma-buf, and again after its reset."""
    with ground.exported(address, VF_BAR, VF_RANGES, token=token) as (device, dmabuf, importer):
        for turn in (1, 2):
            before = importer.status()["notified"]
            device.function_level_reset()
            equal(importer.status()["notified"] > before, True, "the importer was told")
            if ground.ours:
                equal(device.state(dmabuf), (0, 2 * turn), "state and generation")
            ground.returned(address, VF_BAR, VF_RANGES, importer)


def check_of_another_driver(ground):
    """igb drives the card, we its virtual function: how people share a GPU between VMs."""
    if subprocess.run(["modprobe", "-q", "igb"], check=False).returncode:
        raise Skip("this kernel has no igb")
    pci.bind(ground.card, "igb")
    try:
        with one_virtual_function(ground.card) as address:
            pci.bind(address, ground.driver)
            exports_and_comes_back(ground, address)
    finally:
        pci.bind(ground.card, ground.driver)


def check_of_ours(ground, parameter):
    """VFIO drives the card: off by default; with enable_sriov the virtual function is ours at once, and is opened
    with the token that the card's owner has set."""
    if not (pci.DEVICES / ground.card / "sriov_numvfs").exists():
        raise Skip("this kernel has no SR-IOV")
    equal(errno_of((pci.DEVICES / ground.card / "sriov_numvfs").write_text, "1"), errno.ENOENT, "off by default")
    parameter.write_text("Y")
    token = uuid.uuid4()
    try:
        with Device(ground.card) as card:
            card.feature(vfio.VF_TOKEN, vfio.FEATURE_SET, token.bytes)
            with one_virtual_function(ground.card) as address:
                equal((pci.DEVICES / address / "driver").resolve().name, ground.driver, "the virtual function's driver")
                equal(errno_of(Device, address), errno.EACCES, "opened without the token")
                exports_and_comes_back(ground, address, token)
    finally:
        parameter.write_text("N")
