# SPDX-License-Identifier: GPL-2.0-or-later
"""Read-only disk images for one run: a snapshot, so that a build on L0 cannot disturb a run in L1."""

import shutil
import subprocess
import tarfile
from io import BytesIO

SECTOR = 512
# What L1 never runs: objects, archives, Meson's own notes. Paths are relative to the build directory.
BUILD_NOISE = r"(\.p|meson-private|meson-logs|meson-info)(/|$)|\.(a|o|ninja_deps|ninja_log)$"
SOURCE_NOISE = shutil.ignore_patterns(".git", "build", "build-*", "out", "__pycache__")


def pack(directory, image, exclude=None):
    """Packs a directory as erofs, without compression: mounted once, read soon."""
    command = ["mkfs.erofs", "--quiet", "-T0", "--all-root"]
    if exclude:
        command.append(f"--exclude-regex={exclude}")
    for attempt in (1, 2):  # a file may vanish while a build runs
        result = subprocess.run([*command, image, directory], capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return image
        image.unlink(missing_ok=True)
    raise OSError(f"mkfs.erofs of {directory} failed: {(result.stderr or result.stdout).strip()}")


def pack_source(repo, image, scratch):
    """The repository without what git and builds put there."""
    shutil.copytree(repo, scratch, symlinks=True, ignore=SOURCE_NOISE, dirs_exist_ok=True)
    try:
        return pack(scratch, image)
    finally:
        shutil.rmtree(scratch)


def write_job(image, files):
    """A tar archive in whole sectors, to be read from a block device. files: {name: (bytes, mode)}."""
    with tarfile.open(image, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (data, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, BytesIO(data))
    size = image.stat().st_size
    with open(image, "ab") as stream:
        stream.truncate(size + -size % SECTOR)
    return image
