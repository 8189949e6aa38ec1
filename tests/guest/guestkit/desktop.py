# SPDX-License-Identifier: GPL-2.0-or-later
"""A desktop of this machine for the viewer: sway, in a window on an X server without a screen, which gives it a keyboard.

Its clipboard is read and written by wl-paste and wl-copy, which need no window for it.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .guest import end_process, eventually
from .tap import must

UP_SECONDS = 60
CONFIG = "default_border none\nxwayland disable\n"
NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")  # sway refuses to run as root


class Desktop:
    """Use as a context manager. logs: the directory for sway's messages."""

    def __init__(self, logs):
        self.logs = Path(logs)
        self.run = Path(tempfile.mkdtemp(prefix="vramlink-desktop-"))
        self.processes = []
        self.environment = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            end_process(process)
        shutil.rmtree(self.run)

    def _start(self):
        (self.run / "config").write_text(CONFIG)
        as_nobody = NOBODY if os.geteuid() == 0 else ()
        if as_nobody:
            shutil.chown(self.run, "nobody", "nogroup")
        report, number = os.pipe()
        self.processes.append(subprocess.Popen(
            ["Xvfb", "-displayfd", str(number), "-screen", "0", "1024x768x24", "-nolisten", "tcp"],
            pass_fds=[number], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        os.close(number)
        with open(report, encoding="ascii") as shown:
            display = shown.readline().strip()
        must(display, "Xvfb did not start")
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(self.run)}
        with open(self.logs / "sway.log", "wb") as log:
            self.processes.append(subprocess.Popen(
                [*as_nobody, "sway", "--config", str(self.run / "config")], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**environment, "DISPLAY": f":{display}", "WLR_BACKENDS": "x11",
                                 "WLR_RENDERER": "pixman"}))
        eventually(self._is_missing, UP_SECONDS)
        self.environment = {**environment, "WAYLAND_DISPLAY": self._sockets()[0].name}

    def _sockets(self):
        return [path for path in self.run.glob("wayland-*") if path.suffix != ".lock"]

    def _ask(self, *words):
        """swaymsg's answer, None while there is none."""
        for control in self.run.glob("sway-ipc.*"):
            answer = subprocess.run(["swaymsg", "--socket", str(control), "--raw", *words], timeout=30, check=False,
                                    capture_output=True)
            return json.loads(answer.stdout) if answer.returncode == 0 else None
        return None

    def _is_missing(self):
        must(self.processes[-1].poll() is None, f"sway ended: {(self.logs / 'sway.log').read_text()[-1500:]}")
        return "" if self._sockets() and self._ask("-t", "get_seats") else "sway does not answer yet"

    def windows(self):
        """For each window, whether it has the keyboard."""
        def search(node):
            if node.get("app_id"):
                yield bool(node.get("focused"))
            for child in node.get("nodes", []) + node.get("floating_nodes", []):
                yield from search(child)

        return list(search(self._ask("-t", "get_tree") or {}))

    def spawn(self, words, log):
        """A program on this desktop, which ends with it."""
        with open(self.logs / log, "ab") as stream:
            process = subprocess.Popen([str(word) for word in words], env=self.environment, stdin=subprocess.DEVNULL,
                                       stdout=stream, stderr=stream)
        self.processes.append(process)
        return process

    def end(self, process):
        self.processes.remove(process)
        end_process(process)

    def copy(self, text):
        """On another workspace: whoever had the keyboard loses it and gets it back. Without that the compositor would
        take no newer text from it, for want of a newer input event."""
        self._ask("workspace", "copying")
        subprocess.run(["wl-copy", "--type", "text/plain;charset=utf-8"], env=self.environment, input=text.encode(),
                       check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._ask("workspace", "back_and_forth")

    def paste(self, seconds=60):
        """What a program of this desktop gets that pastes; empty where nobody has anything."""
        try:
            answer = subprocess.run(["wl-paste", "--no-newline"], env=self.environment, check=False, timeout=seconds,
                                    capture_output=True)
        except subprocess.TimeoutExpired:
            return f"(nothing for {seconds} s)"
        return answer.stdout.decode(errors="replace")
