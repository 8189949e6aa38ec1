# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's machine as a command line of a stock QEMU: L1's, under KVM, or this machine's, under TCG.

The guest has the kernel, the initramfs and the root of L1. In L1 these are L1's own disks, lent read-only; on this machine
the share has links to their images.
"""

import os
from pathlib import Path

QEMU = "qemu-system-x86_64"
PORT = "vramlink.guest"
GPU_ID = "vram0"
OURS, STOCK = "virtio-gpu-vram-pci", "virtio-gpu-pci"
MEMORY = "768M"


def disk(share, serial):
    image = Path(share, f"{serial}.erofs")
    if image.exists():
        return str(image)
    for block in Path("/sys/block").glob("vd*"):
        if (block / "serial").read_text().strip() == serial:
            return f"/dev/{block.name}"
    raise FileNotFoundError(f"L1 has no disk '{serial}'")


def in_l1(share):
    return not Path(share, "root.erofs").exists()


def gpu(device, outputs=2, size=(1024, 768)):
    """The -device option of the GPU under test; device is OURS or STOCK."""
    blob = ",blob=on" if device == STOCK and os.path.exists("/dev/udmabuf") else ""  # stock insists on it
    return f"{device},id={GPU_ID},bus=gpuport,max_outputs={outputs},xres={size[0]},yres={size[1]}{blob}"


def is_ours(device):
    return device is not None and device.split(",")[0] == OURS


def command(share, run, device, job, extra=()):
    """share: what L0 packed; run: a directory for sockets and logs; job: the guest's job archive."""
    words = [QEMU, "-name", "guest", "-nodefaults", "-no-user-config", "-vga", "none", "-display", "none",
             "-machine", "q35,memory-backend=ram", "-smp", "1",
             *(["-accel", "kvm", "-cpu", "host"] if in_l1(share) else ["-accel", "tcg", "-cpu", "EPYC"]),
             "-object", f"memory-backend-memfd,id=ram,size={MEMORY},share=on", "-m", MEMORY,
             "-global", "ICH9-LPC.disable_s3=0",
             "-kernel", f"{share}/vmlinuz", "-initrd", f"{share}/boot.cpio",
             # Little is printed: each character of a serial console ends in L0.
             "-append", "console=ttyS0 panic=-1 loglevel=4",
             "-serial", f"file:{run}/console.log", "-monitor", "none",
             "-qmp", f"unix:{run}/qmp.sock,server=on,wait=off",
             "-device", "virtio-serial-pci",
             "-chardev", f"socket,id=agent,path={run}/agent.sock,server=on,wait=off",
             "-device", f"virtserialport,chardev=agent,name={PORT}",
             "-device", "pcie-root-port,id=gpuport,chassis=1"]
    for serial, path in (("root", disk(share, "root")), ("modules", disk(share, "modules")), ("job", job)):
        driver = "host_device" if path.startswith("/dev/") else "file"
        words += ["-blockdev", f"driver=raw,node-name={serial},read-only=on,file.driver={driver},"
                               f"file.filename={path}",
                  "-device", f"virtio-blk-pci,drive={serial},serial={serial}"]
    if device:
        if is_ours(device):
            words += ["-plugin", f"file={share}/qemu-vramlink.so"]
        words += ["-device", device]
    return [str(word) for word in [*words, *extra]]
