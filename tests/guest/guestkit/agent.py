# SPDX-License-Identifier: GPL-2.0-or-later
"""Inside the guest: carries out what L1 asks for over a virtio port, one JSON object a line.

    {"do": "sh", "text": ..., "limit": N}       -> {"status": exit code or 124, "out": text}
    {"do": "spawn", "text": ..., "name": NAME}  -> {"pid": N}; its output goes to /tmp/NAME.log
    {"do": "frame", "head": N, "pixels": BOOL}  -> {"width", "height", "digest", "rgb": zlib + base64} or {"dark": why}
    {"do": "ping"}                              -> {"boot": the kernel's boot id}
An {"up": boot id} without a question tells that the agent has started.
"""

import base64
import hashlib
import os
import signal
import subprocess
import sys
import time
import traceback
import zlib
from pathlib import Path

sys.path.insert(0, "/run/lab/kit")
import kms  # noqa: E402
from lines import Closed, Lines  # noqa: E402

NAME = "vramlink.guest"
KEPT_TEXT = 20000


def port_path():
    while True:
        for port in Path("/sys/class/virtio-ports").glob("*"):
            if (port / "name").read_text().strip() == NAME:
                return f"/dev/{port.name}"
        time.sleep(0.1)


def boot_id():
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def shell(text, seconds):
    process = subprocess.Popen(["sh", "-c", text], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out, _ = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        status = 124
    return {"status": status, "out": out.decode(errors="replace")[-KEPT_TEXT:]}


def spawn(text, name):
    with open(f"/tmp/{name}.log", "wb") as log:
        process = subprocess.Popen(["sh", "-c", text], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
    return {"pid": process.pid}


def frame(head, pixels):
    try:
        width, height, rgb = kms.read_head(head)
    except kms.Dark as dark:
        return {"dark": str(dark)}
    seen = {"width": width, "height": height, "digest": hashlib.sha256(rgb).hexdigest()}
    if pixels:
        seen["rgb"] = base64.b64encode(zlib.compress(rgb, 1)).decode()
    return seen


def answer(question):
    kind = question["do"]
    if kind == "sh":
        return shell(question["text"], question["limit"])
    if kind == "spawn":
        return spawn(question["text"], question["name"])
    if kind == "frame":
        return frame(question["head"], question["pixels"])
    return {"boot": boot_id()}


def main():
    port = Lines.open(port_path())
    port.send({"up": boot_id()})
    while True:
        try:
            question = port.receive(3600)
        except (Closed, TimeoutError):
            time.sleep(0.1)  # nobody is connected on the other side
            continue
        try:
            port.send(answer(question))
        except Exception:  # whatever went wrong, L1 must hear of it
            port.send({"error": traceback.format_exc()})
        while True:  # children that ended
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break


if __name__ == "__main__":
    main()
