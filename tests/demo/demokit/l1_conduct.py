# SPDX-License-Identifier: GPL-2.0-or-later
"""Inside L1: starts the guest and the viewer, passes the painter's events on, measures at every checkpoint.

The script outside (L0) hears everything over a virtio-serial port and answers each checkpoint with a go once it
has looked at the screen. Only then is measured here, so that the viewer has shown what it counts.
"""

import json
import os
import signal
import subprocess
import time

from . import l1_guest, l1_input, l1_measure, l1_seat, l1_sway, l1_weston
from .l0_musts import kept_fds
from .lines import Closed, Lines
from .qmp import Qmp

RUN = "/run/demo"  # sockets
LOGS = "/out"  # comes back to the outside
CARD = "/dev/dri/card0"
BOOT_SECONDS = 180
EVENT_SECONDS = 120
SCREEN_SECONDS = 120
SETTLE_SECONDS = 3.0
VIEWER_SECONDS = 60
COMPOSITORS = {compositor.NAME: compositor for compositor in (l1_weston, l1_sway)}
COMPOSITOR_SECONDS = 120
END_SECONDS = 60
EMPTY_HANDED = ("revoked", "released", "end")  # checkpoints at which nothing of the guest's may be held


class Failed(RuntimeError):
    """The run cannot go on; the text is a sentence."""


def bind_gpu(source, driver):
    result = subprocess.run([f"{source}/tests/lab/l1/bind-vfio"], capture_output=True, text=True, check=False,
                            env={**os.environ, "VFIO_DRIVER": driver})
    if result.returncode != 0:
        raise Failed(f"bind-vfio: {result.stderr.strip()}")
    return result.stdout.split()[0]


class Conductor:
    """Owns the processes; use as a context manager."""

    def __init__(self, job, files, source, outside):
        self.job, self.files, self.source, self.outside = job, files, source, outside
        self.processes = {}
        self.monitor = self.painter = None
        self.baseline = None
        self.compositor = COMPOSITORS.get(job["screen"])  # None: the viewer on KMS
        self.stats_path = f"{LOGS}/viewer-stats.json"

    def __enter__(self):
        os.makedirs(RUN, exist_ok=True)
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def _start(self, name, command, env=None):
        with open(f"{LOGS}/{name}.log", "wb") as log:
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                    env=env)

    def _check_alive(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                with open(f"{LOGS}/{name}.log", encoding="utf-8", errors="replace") as log:
                    tail = " | ".join(log.read().strip().splitlines()[-5:])
                raise Failed(f"the {name} ended with {process.returncode}: {tail or 'no output'}")

    def start(self):
        address = bind_gpu(self.source, self.job["driver"])
        self._start("qemu", l1_guest.command(self.job, self.files, address, RUN, LOGS))
        try:
            self._join_sockets()
        except OSError:
            time.sleep(1)
            self._check_alive()  # QEMU's last words say more than a broken connection
            raise
        l1_seat.start_udev()
        viewer = [f"{self.files}/vramlink-viewer", "--qmp", f"{RUN}/viewer-qmp.sock", "--stats", self.stats_path]
        if self.compositor:
            self._start_compositor()
            self._start("viewer", viewer, self.compositor.client_environment(RUN))
        else:
            self._start("viewer", [*viewer, f"--kms={CARD}", "--no-copy"], l1_seat.ENVIRONMENT)
        self.outside.send({"event": "started", "gpu": address, "qemu": l1_measure.stock_qemu(),
                           "kernel": os.uname().release})

    def _start_compositor(self):
        name = self.compositor.NAME
        self.compositor.prepare(RUN)
        self._start(name, self.compositor.command(RUN, self.job["gl"]), self.compositor.environment(RUN, self.job["gl"]))
        limit = time.monotonic() + COMPOSITOR_SECONDS
        while not self.compositor.is_up(RUN):
            self._check_alive()
            if time.monotonic() > limit:
                raise Failed(f"{name} did not open its socket within {COMPOSITOR_SECONDS} s")
            time.sleep(0.1)

    def _join_sockets(self):
        """QEMU opens its sockets some seconds after its start, or ends with a sentence in its log."""
        limit = time.monotonic() + BOOT_SECONDS
        while not os.path.exists(f"{RUN}/qmp.sock"):
            self._check_alive()
            if time.monotonic() > limit:
                raise Failed(f"QEMU did not open its monitor within {BOOT_SECONDS} s")
            time.sleep(0.1)
        self.monitor = Qmp(f"{RUN}/qmp.sock")
        self.painter = Lines.connect(f"{RUN}/painter.sock", BOOT_SECONDS)

    def next_event(self, seconds):
        """The painter's next event, watching over both processes meanwhile."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            try:
                return self.painter.receive(0.5)
            except TimeoutError:
                self._check_alive()
            except Closed as error:
                time.sleep(1)
                self._check_alive()
                raise Failed("QEMU closed the painter's channel") from error
        raise Failed(f"the guest reported nothing for {seconds} s")

    def _held(self):
        return l1_measure.held(self.files, self.processes["qemu"].pid, self.processes["viewer"].pid)

    def _held_when_settled(self, label):
        """Where nothing may be held, letting go may take a moment: how long it took is part of the result."""
        start = time.monotonic()
        while True:
            held = self._held()
            held["counted_after_ms"] = round((time.monotonic() - start) * 1000)
            settled = label not in EMPTY_HANDED or all(
                held[key] == self.baseline[key] + (kept_fds(self.job) if key == "fds" else 0)
                for key in l1_measure.COUNTED)
            if settled or held["counted_after_ms"] > SETTLE_SECONDS * 1000:
                return held

    def measure(self, label, frame):
        held = self._held_when_settled(label)
        if label == "baseline":
            self.baseline = held
        last = (label, frame) == ("frame", self.job["frames"])
        self.outside.send({
            "event": "measured", "input": l1_input.wait(f"{LOGS}/guest-console.log") if last else None, "label": label, "frame": frame, "held": held,
            "viewer": l1_measure.viewer_stats(self.processes["viewer"], self.stats_path),
            "plugin": l1_measure.plugin_stats(self.monitor),
        })

    def _viewer_is_ready(self):
        """Before the first picture the viewer must be connected, or there would be nothing to compare with."""
        limit = time.monotonic() + VIEWER_SECONDS
        while True:
            stats = l1_measure.viewer_stats(self.processes["viewer"], self.stats_path)
            # In a window QEMU's own pictures are shown, too, by copying.
            if stats["connected"] and (stats["showing"] == "neutral" or self.compositor):
                return
            self._check_alive()
            if time.monotonic() > limit:
                raise Failed(f"the viewer is not connected after {VIEWER_SECONDS} s: {stats}")
            time.sleep(0.2)

    def _stop_viewer(self, stop):
        if self.job["stop_viewer"]:
            self.processes["viewer"].send_signal(signal.SIGSTOP if stop else signal.SIGCONT)

    def _viewer_is_back(self):
        """It was cut off while it was stopped, and joins again."""
        limit = time.monotonic() + VIEWER_SECONDS
        while self.job["stop_viewer"]:
            stats = l1_measure.viewer_stats(self.processes["viewer"], self.stats_path)
            if stats["connected"] and stats["times_connected"] > 1 and stats["showing"] == "neutral":
                return
            if time.monotonic() > limit:
                raise Failed(f"the viewer has not come back after {VIEWER_SECONDS} s: {stats}")
            time.sleep(0.2)

    def checkpoint(self, event):
        if event["label"] == "baseline":
            self._viewer_is_ready()
        if event["label"] == "revoked":
            self._stop_viewer(False)
            self._viewer_is_back()
        self.outside.send(event)
        answer = self.outside.receive(SCREEN_SECONDS)
        if answer.get("go") is not True:
            raise Failed(f"stopped from outside at checkpoint '{event['label']}'")
        self.measure(event["label"], event["frame"])
        self._check_alive()
        if (event["label"], event["frame"]) == ("frame", self.job["frames"]):
            self._stop_viewer(True)  # the guest resets its GPU next
        self.painter.send({"go": True})

    def run(self):
        seconds = BOOT_SECONDS
        while True:
            event = self.next_event(seconds)
            seconds = EVENT_SECONDS
            if event["event"] == "checkpoint":
                self.checkpoint(event)
                continue
            self.outside.send(event)
            if event["event"] == "error":
                return False
            if event["event"] == "done":
                self._end()
                return True

    def _end(self):
        """The guest powers off by itself, so QEMU ends; the viewer is told to."""
        viewer, qemu = self.processes["viewer"], self.processes["qemu"]
        viewer.terminate()
        self.outside.send({"event": "ended", "viewer": viewer.wait(END_SECONDS), "qemu": qemu.wait(END_SECONDS)})


def main(files, source):
    with open(f"{files}/job.json", encoding="utf-8") as file:
        job = json.load(file)
    outside = Lines.open("/dev/virtio-ports/demo")
    outside.send({"event": "alive"})
    try:
        with Conductor(job, files, source, outside) as conductor:
            conductor.start()
            return 0 if conductor.run() else 1
    except (Failed, OSError, RuntimeError, subprocess.SubprocessError, KeyError, ValueError) as error:
        outside.send({"event": "error", "text": str(error), "errno": type(error).__name__})
        return 1
