# SPDX-License-Identifier: GPL-2.0-or-later
"""What the machines need, put together in one directory that L1 sees as /mnt/demo."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
GUEST_MODULES = ["virtio_pci", "virtio_console", "virtio_gpu", "vfio_iommu_type1", "vfio-pci",
                 "virtio_input", "evdev"]
BUFFERS = 3
PAGE = 4096
SMALLEST_BAR = 64  # MiB


class Missing(RuntimeError):
    """A program has not been built, or a step of the preparation failed; the text is a sentence."""


def bar_mebibytes(width, height):
    """The smallest power of two that holds all framebuffers in whole pages, and at least SMALLEST_BAR."""
    pages = (width * height * 4 + PAGE - 1) // PAGE
    size = SMALLEST_BAR
    while size * 1024 * 1024 < BUFFERS * pages * PAGE:
        size *= 2
    return size


def built(path):
    if not path.is_file():
        raise Missing(f"{path} does not exist; ./dev build makes it")
    return path


def check_driver(driver):
    """A GPU driver that is not in L1's kernel comes from build/kernel, which the lab mounts."""
    module = REPO / f"build/kernel/current/{driver}.ko"
    if driver != "vfio-pci" and not module.is_file():
        raise Missing(f"{module} does not exist; ./dev kernel build current makes it")


def run(command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Missing(f"{Path(command[0]).name} failed: {(result.stderr or result.stdout).strip()}")
    return result.stdout


def lab_paths():
    """The lab's pieces (KERNEL, KERNEL_ROOT, ...), made if they are missing."""
    words = shlex.split(run([REPO / "tests/lab/lab", "paths"]))
    return dict(word.split("=", 1) for word in words)


def make_share(share, job, host_build, lab_build):
    """Fills the directory share; host_build serves L1's programs and the guest, lab_build L1's QEMU."""
    share.mkdir(parents=True, exist_ok=True)
    for program in ("vramlink-viewer", "gem-count"):
        shutil.copy(built(host_build / "tools/viewer" / program), share)
    for part in ("qemu-vramlink.so", "qemu-vramlink-device.so"):
        shutil.copy(built(lab_build / "hw/qemu" / part), share)
    (share / "job.json").write_text(json.dumps(job))

    painter = share / "gpu-painter"
    run(["strip", "-o", painter, built(host_build / "tests/demo/gpu-painter")])
    pieces = lab_paths()
    shutil.copy(pieces["KERNEL"], share / "vmlinuz")
    modules = [word for name in GUEST_MODULES for word in ("--module", name)]
    run([REPO / "tests/lab/mkinitramfs", "--out", share / "guest.cpio", "--kernel-root", pieces["KERNEL_ROOT"],
         *modules, "--program", painter, "--init", REPO / "tests/demo/guest-init"])
