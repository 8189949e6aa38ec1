# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs for an initramfs, with the shared libraries and the loader that they need."""

import re
import subprocess
from pathlib import Path

_RESOLVED = re.compile(r"^\s*(?:(\S+) => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_MISSING = re.compile(r"^\s*(\S+) => not found$", re.MULTILINE)


def busybox(given):
    """A static busybox: one that needs no library in the initramfs."""
    path = Path(given or "/bin/busybox")
    if not path.exists():
        raise ValueError(f"{path} does not exist; install busybox-static")
    if libraries(path):
        raise ValueError(f"{path} is linked to shared libraries; install busybox-static")
    return path


def add(archive, source, destination):
    archive.add_file(destination, source, 0o755)
    for path in libraries(source):
        if str(path) not in archive:
            archive.add_file(str(path), path, 0o755)


def libraries(program):
    """The files, loader included, that the dynamic loader maps for this program; none if it is static."""
    result = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if result.returncode != 0 or "statically linked" in result.stdout:
        if "not a dynamic executable" in result.stdout + result.stderr or result.returncode == 0:
            return []
        raise ValueError(f"ldd {program}: {result.stderr.strip()}")
    missing = _MISSING.findall(result.stdout)
    if missing:
        raise ValueError(f"{program} needs libraries that this machine lacks: {', '.join(missing)}")
    return [Path(path) for _, path in _RESOLVED.findall(result.stdout)]
