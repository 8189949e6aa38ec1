# SPDX-License-Identifier: GPL-2.0-or-later
"""What QEMU and the viewer hold, counted from outside, and what they say of themselves."""

import collections
import hashlib
import json
import os
import re
import signal
import subprocess
import time

from .l1_guest import GPU_ID, QEMU

STATS_SECONDS = 5
COUNTED = {"fds": "fds_total", "gem_handles": "gem_handles", "framebuffers": "framebuffers",
           "dmabuf_fds": "dmabuf_fds"}


def open_fds(pid):
    """How many descriptors of which kind (link target without its numbers) a process has."""
    kinds = collections.Counter()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            kinds[re.sub(r"\d+", "N", os.readlink(f"/proc/{pid}/fd/{name}"))] += 1
        except FileNotFoundError:
            pass
    return dict(kinds)


def gem_count(files, pid):
    result = subprocess.run([f"{files}/gem-count", str(pid)], capture_output=True, text=True, check=True,
                            timeout=30)
    return json.loads(result.stdout)


def viewer_stats(viewer, path):
    """Asks the viewer to rewrite its statistics and reads them."""
    before = os.stat(path).st_mtime_ns if os.path.exists(path) else 0
    viewer.send_signal(signal.SIGUSR1)
    limit = time.monotonic() + STATS_SECONDS
    while time.monotonic() < limit:
        try:
            if os.stat(path).st_mtime_ns != before:
                with open(path, encoding="utf-8") as file:
                    return json.load(file)
        except (FileNotFoundError, json.JSONDecodeError):
            pass  # not there yet, or half written
        time.sleep(0.02)
    raise TimeoutError(f"the viewer did not rewrite {path} within {STATS_SECONDS} s")


def plugin_stats(qmp):
    return json.loads(qmp.execute("qom-get", path=f"/machine/peripheral/{GPU_ID}", property="vramlink-stats"))


def held(files, qemu_pid, viewer_pid):
    """Everything open in both processes; gem-count refuses to guess, so a text or null here is an error."""
    each = [gem_count(files, pid) for pid in (qemu_pid, viewer_pid)]
    total = {name: sum(one[key] for one in each) for name, key in COUNTED.items()}
    kinds = [open_fds(pid) for pid in (qemu_pid, viewer_pid)]
    return {**total, "qemu": {**each[0], "kinds": kinds[0]}, "viewer": {**each[1], "kinds": kinds[1]}}


def stock_qemu():
    """Version, package and checksum of the QEMU that runs the guest; stock: it is what the package holds."""
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True).stdout
    package = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}", "qemu-system-x86"],
                             capture_output=True, text=True, check=True).stdout
    with open(QEMU, "rb") as file:
        binary = file.read()
    with open("/var/lib/dpkg/info/qemu-system-x86.md5sums", encoding="utf-8") as file:
        packaged = f"{hashlib.md5(binary).hexdigest()}  {QEMU.lstrip('/')}" in file.read()
    return {"version": re.search(r"version ([\d.]+)", version)[1], "package": package,
            "sha256": hashlib.sha256(binary).hexdigest(), "stock": packaged}
