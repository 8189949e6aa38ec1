# SPDX-License-Identifier: GPL-2.0-or-later
"""L2's machine as a command line of L1's stock QEMU."""

QEMU = "/usr/bin/qemu-system-x86_64"
PORT = "vramlink.demo"
GPU_ID = "vram0"


def command(job, files, gpu_address, run, logs):
    """job: what l0 wrote to job.json; files: the share; run, logs: directories for sockets and for logs."""
    painter = ["--seed", job["seed"], "--frames", job["frames"], "--width", job["width"],
               "--height", job["height"], "--checkpoints", job["checkpoints"]]
    kernel_line = ["console=ttyS0", "panic=-1", "loglevel=5", "intel_iommu=on", "iommu=pt",
                   "drm_kms_helper.fbdev_emulation=0", "--", *painter]
    words = [
        QEMU, "-name", "guest", "-nodefaults", "-no-user-config", "-no-reboot", "-vga", "none",
        # The guest owns its GPU through vfio-pci too: that takes a vIOMMU that reports every mapping.
        "-machine", "q35,kernel-irqchip=split,memory-backend=ram", "-accel", "kvm", "-cpu", "host",
        "-object", "memory-backend-memfd,id=ram,size=1G,share=on", "-m", "1G",
        "-device", "intel-iommu,intremap=on,caching-mode=on",
        "-plugin", f"file={files}/qemu-vramlink.so",
        "-device", "pcie-root-port,id=gpuport,chassis=1",
        "-device", f"vfio-pci,host={gpu_address},id=gpu,bus=gpuport",
        # No stills: Linux detaches a buffer's backing at the GPU's reset, too, and the picture has to go then.
        "-device", f"virtio-gpu-vram-pci,id={GPU_ID},xres={job['width']},yres={job['height']},still-ms=0",
        "-display", "dbus,p2p=yes,gl=on,rendernode=/dev/dri/renderD128",
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=painter,path={run}/painter.sock,server=on,wait=off",
        "-device", f"virtserialport,chardev=painter,name={PORT}",
        "-qmp", f"unix:{run}/qmp.sock,server=on,wait=off",
        "-qmp", f"unix:{run}/viewer-qmp.sock,server=on,wait=off",
        "-device", "virtio-tablet-pci", "-device", "virtio-keyboard-pci",
        "-serial", f"file:{logs}/guest-console.log", "-monitor", "none",
        "-kernel", f"{files}/vmlinuz", "-initrd", f"{files}/guest.cpio",
        "-append", " ".join(str(word) for word in kernel_line),
    ]
    return [str(word) for word in words]
