# SPDX-License-Identifier: GPL-2.0-or-later
"""PCI devices as sysfs shows them: binding, resources, capabilities."""

from pathlib import Path

DEVICES = Path("/sys/bus/pci/devices")
CAP_PM, CAP_PCIE, CAP_AF = 0x01, 0x10, 0x13


def find(vendor, device):
    """Addresses of all functions with these IDs, sorted."""
    def matches(path):
        return int((path / "vendor").read_text(), 16) == vendor and int((path / "device").read_text(), 16) == device
    return sorted(path.name for path in DEVICES.iterdir() if matches(path))


def bind(address, driver):
    path = DEVICES / address
    (path / "driver_override").write_text(driver)
    if (path / "driver").exists():
        (path / "driver/unbind").write_text(address)
    Path("/sys/bus/pci/drivers_probe").write_text(address)
    bound = (path / "driver").resolve().name if (path / "driver").exists() else None
    if bound != driver:
        raise OSError(f"{address} has the driver {bound}, not {driver}")


def bar(address, index):
    """(start, size) of a BAR in physical address space."""
    start, end, _ = (int(word, 16) for word in (DEVICES / address / "resource").read_text().splitlines()[index].split())
    return (start, end - start + 1) if end else (0, 0)


def group(address):
    return (DEVICES / address / "iommu_group").resolve().name


def capability(address, wanted):
    """Offset of a capability in config space, or None."""
    config = (DEVICES / address / "config").read_bytes()
    at = config[0x34]
    while at:
        if config[at] == wanted:
            return at
        at = config[at + 1]
    return None
