# SPDX-License-Identifier: GPL-2.0-or-later
"""The run as seen from outside: boots L1, hears the events, looks at the screen, collects what was measured."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from . import l0_files, l0_input
from .l0_screen import Screen
from .lines import Closed, Lines
from .qmp import Qmp

SOCKET_SECONDS = 120
ALIVE_SECONDS = 120  # from L1's start to its first word
BOOTS = 3  # two emulated processors on a busy machine: now and then one of L1's timers is lost, and its boot hangs
QUIET_SECONDS = 240  # without any event from inside
STOP_SECONDS = 30


class Failed(RuntimeError):
    """The run cannot go on; the text is a sentence."""


class BootHangs(Failed):
    """L1 has not said its first word in time."""


class Progress:
    """One line a step, with the seconds since the start."""

    def __init__(self, stream):
        self._stream = stream
        self._start = time.monotonic()

    def seconds(self):
        return round(time.monotonic() - self._start, 1)

    def say(self, text):
        print(f"[{self.seconds():6.1f} s] {text}", file=self._stream, flush=True)


class Watch:
    def __init__(self, job, out, host_build, lab_build, timeout, progress):
        self.job, self.out, self.timeout, self.progress = job, out, timeout, progress
        self.host_build, self.lab_build = host_build, lab_build
        self.events = {}  # the last event of each kind, "buffer" as a list
        self.checkpoints = []
        self.measured = []
        self.self_test = None
        self.lab_exit = None

    def run(self):
        with tempfile.TemporaryDirectory(prefix="vramlink-demo-") as scratch:
            self._run(Path(scratch))

    def _run(self, scratch):
        l0_files.make_share(scratch / "share", self.job, self.host_build, self.lab_build)
        self.progress.say(f"guest image and share are ready; the GPU gets {self.job['bar_mib']} MiB of VRAM")
        for boot in range(1, BOOTS + 1):
            try:
                return self._boot(scratch)
            except BootHangs as error:
                if boot == BOOTS:
                    raise
                self.progress.say(f"{error}; once more")

    def _boot(self, scratch):
        for socket in ("demo.sock", "qmp.sock"):
            (scratch / socket).unlink(missing_ok=True)
        with open(self.out / "lab.log", "ab") as log:
            lab = subprocess.Popen(self._lab_command(scratch), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
            try:
                self._watch(lab, scratch)
                self.lab_exit = self._wait(lab)
            finally:
                stop(lab)

    def _wait(self, lab):
        try:
            return lab.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"L1 did not end within {STOP_SECONDS} s after the guest was done") from None

    def _lab_command(self, scratch):
        job = self.job
        l0_files.check_driver(job["driver"])
        words = [l0_files.REPO / "tests/lab/lab", "run", "--gpu", job["bar_mib"], "--display", "vram",
                 "--plugin", self.host_build / "hw/qemu/qemu-vramlink.so",
                 "--size", "{}x{}".format(*job["host_size"]), "--qmp", scratch / "qmp.sock",
                 "--qemu", l0_input.DEVICES,
                 "--port", f"demo={scratch / 'demo.sock'}", "--share", f"demo={scratch / 'share'}",
                 "--out", self.out / "l1", "--timeout", max(60, round(self.timeout - self.progress.seconds())),
                 "--", "/vramlink/src/tests/demo/l1-run", "/mnt/demo"]
        return [str(word) for word in words]

    def _watch(self, lab, scratch):
        inside = self._connect(lab, scratch / "demo.sock", lambda path: Lines.connect(path, 1))
        monitor = self._connect(lab, scratch / "qmp.sock", lambda path: Qmp(path, 60))
        screen = Screen(monitor, self.host_build / "tests/demo/testcard-check", scratch, self.job)
        self.progress.say("L1 is booting")
        try:
            self._next(lab, inside, ALIVE_SECONDS)
        except TimeoutError:
            raise BootHangs(f"L1 has not booted within {ALIVE_SECONDS} s") from None
        while not self._handle(self._next(lab, inside), inside, screen):
            pass
        inside.close()
        monitor.close()

    def _connect(self, lab, path, join):
        limit = time.monotonic() + SOCKET_SECONDS
        while not path.exists():
            if lab.poll() is not None or time.monotonic() > limit:
                raise Failed(f"L1 did not start: {self._lab_tail()}")
            time.sleep(0.1)
        return join(path)

    def _next(self, lab, inside, seconds=QUIET_SECONDS):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            try:
                return inside.receive(1)
            except TimeoutError:
                if lab.poll() is not None:
                    raise Failed(f"L1 ended early ({lab.returncode}): {self._lab_tail()}") from None
            except (Closed, ConnectionResetError):
                raise Failed(f"L1 closed the channel: {self._lab_tail()}") from None
        raise TimeoutError(f"nothing was heard from L1 for {seconds} s")

    def _lab_tail(self):
        lines = (self.out / "lab.log").read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-5:]) or "no output"

    def _handle(self, event, inside, screen):
        """Returns true when the run is over."""
        kind = event["event"]
        if kind == "checkpoint":
            self._examine(event["label"], event["frame"], screen)
            inside.send({"go": True})
        elif kind == "measured":
            self.measured.append(event)
        elif kind == "buffer":
            self.events.setdefault(kind, []).append(event)
        else:
            self.events[kind] = event
            self._tell(event)
        if kind == "error":
            raise Failed(f"{event['text']} ({event['errno']})")
        return kind == "ended"

    def _tell(self, event):
        texts = {
            "started": "L1 is up: QEMU {qemu[version]} ({qemu[package]}) starts the guest with GPU {gpu}",
            "hello": "the guest is up (Linux {kernel}) and owns its GPU {gpu}",
            "shown": "{frames} frames shown",
            "reset": "the guest has reset its GPU ({reset_us} us)",
            "without_memory": "GPU memory off: an old buffer's flip answers {flip}, a new import {import}",
            "done": "the guest is done",
            "ended": "the guest has powered off; exit codes: QEMU {qemu}, viewer {viewer}",
        }
        if event["event"] in texts:
            self.progress.say(texts[event["event"]].format(**event))

    def _examine(self, label, frame, screen):
        if label == "baseline":
            result = screen.remember_neutral()
        elif label in ("frame", "recovered"):
            last = label == "frame" and frame == self.job["frames"]
            png = self.out / ("host.png" if last else f"{label}.png") if last or label == "recovered" else None
            result = screen.expect_frame(frame, png)
            if last:
                self.self_test = screen.check(frame + 1)
                self._use(screen)
        else:
            result = screen.expect_neutral(self.out / f"{label}.png")
        self.checkpoints.append({"label": label, "frame": frame, **result})
        what = f"frame {frame}" if frame else "the neutral frame"
        state = "is on the host's screen" if result["ok"] else "is NOT on the host's screen"
        self.progress.say(f"{label}: {what} {state}")

    def _use(self, screen):
        """What a user does: a click into the middle of the guest's picture, and a key."""
        x, y, width, height = screen.where or (0, 0, *self.job["host_size"])
        l0_input.click_and_type(screen.monitor, x + width // 2, y + height // 2, *self.job["host_size"])


def stop(process):
    """Ends the lab and everything in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
