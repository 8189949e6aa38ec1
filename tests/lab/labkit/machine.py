# SPDX-License-Identifier: GPL-2.0-or-later
"""L1's machine as a QEMU command line."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

QEMU = "qemu-system-x86_64"


@dataclass
class Machine:
    """What a caller chooses. Sizes in MiB; disks are (serial of at most 20 characters, image)."""

    kernel: Path
    initramfs: Path
    memory: int = 4096
    cpus: int = 2
    iommu: str = "pt"  # pt | on | off
    append: str = ""
    gpus: list = field(default_factory=list)
    display: str = "none"  # none | plain | vram
    plugin: Path = None
    size: tuple = (1920, 1080)
    disks: list = field(default_factory=list)
    ports: list = field(default_factory=list)  # (name in L1, chardev options)
    qmp: str = None
    console: Path = None  # the serial console's log
    terminal: bool = False  # hvc0 on this process's terminal
    extra: str = ""

    def command(self):
        parts = [
            self._base(), self._display(), self._gpus(), self._disks(), self._ports(), self._control(),
            shlex.split(self.extra),
        ]
        return [QEMU, *(str(word) for part in parts for word in part)]

    def _base(self):
        # EPYC: nested KVM inside TCG, and a CPU that Linux trusts with peer-to-peer through the host bridge.
        # The split interrupt controller and intremap=on are what vfio-pci needs of the vIOMMU.
        words = [
            "-machine", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm,+npt,+x2apic",
            "-smp", self.cpus, "-m", self.memory, "-nodefaults", "-no-user-config", "-no-reboot", "-vga", "none",
            "-kernel", self.kernel, "-initrd", self.initramfs, "-append", self._kernel_line(),
        ]
        if self.iommu != "off":
            words += ["-device", "intel-iommu,intremap=on,eim=on"]
        return words

    def _kernel_line(self):
        # no_timer_check: on a busy machine TCG delivers the timer's first interrupts later than the kernel's check waits.
        words = ["console=ttyS0", "panic=-1", "loglevel=6", "no_timer_check"]
        if self.iommu != "off":
            words.append("intel_iommu=on")
        if self.iommu == "pt":
            words.append("iommu=pt")
        return " ".join([*words, self.append]).strip()

    def _display(self):
        words = ["-display", "none"]
        if self.display == "none":
            return words
        device = "virtio-gpu-pci" if self.display == "plain" else "virtio-gpu-vram-pci"
        options = f"{device},id=display0,xres={self.size[0]},yres={self.size[1]}"
        if self.iommu == "on":  # without it the device would be handed IOVAs that it cannot translate
            options += ",iommu_platform=on"
        if self.display == "vram":
            words += ["-plugin", f"file={self.plugin}"]
        return [*words, "-device", options]

    def _gpus(self):
        words = []
        for n, mebibytes in enumerate(self.gpus):
            words += [
                "-object", f"memory-backend-memfd,id=vram{n},size={mebibytes}M,share=on",
                "-device", f"pcie-root-port,id=gpuport{n},chassis={n + 1}",
                "-device", f"ivshmem-plain,id=gpu{n},memdev=vram{n},bus=gpuport{n}",
            ]
        return words

    def _disks(self):
        words = []
        for serial, image in self.disks:
            words += [
                "-blockdev", f"driver=raw,node-name={serial},read-only=on,file.driver=file,file.filename={image}",
                "-device", f"virtio-blk-pci,drive={serial},serial={serial}",
            ]
        return words

    def _ports(self):
        words = ["-device", "virtio-serial-pci,max_ports=31"]
        for n, (name, chardev) in enumerate(self.ports):
            words += ["-chardev", f"{chardev},id=port{n}", "-device", f"virtserialport,chardev=port{n},name={name}"]
        if self.terminal:
            words += ["-chardev", "stdio,id=terminal,signal=off", "-device", "virtconsole,chardev=terminal"]
        return words

    def _control(self):
        words = ["-serial", f"file:{self.console}", "-monitor", "none"]
        if self.qmp:
            words += ["-qmp", f"unix:{self.qmp},server=on,wait=off"]
        return words
