# SPDX-License-Identifier: GPL-2.0-or-later
"""Inside L1: a running guest, seen from its three sides: QEMU's monitor, its kernel's agent, its screen."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[2]
sys.path += [str(REPO / "tests/demo"), str(REPO / "tests/lab")]
from demokit.lines import Closed, Lines  # noqa: E402
from demokit.qmp import Qmp, QmpError  # noqa: E402
from labkit import images  # noqa: E402

from . import machine, picture  # noqa: E402
from .tap import Failed, must  # noqa: E402

BOOT_SECONDS = 600
ANSWER_SECONDS = 240
SETTLE_SECONDS = 120
AGENT_FILES = {"kit/agent.py": HERE / "agent.py", "kit/kms.py": HERE / "kms.py",
               "kit/lines.py": REPO / "tests/demo/demokit/lines.py"}


def write_job(path):
    files = {name: (source.read_bytes(), 0o644) for name, source in AGENT_FILES.items()}
    files["init"] = ((HERE.parent / "l2-init").read_bytes(), 0o755)
    return str(images.write_job(path, files))


def eventually(question, seconds=SETTLE_SECONDS, pause=0.2):
    """question() returns an empty string when all is well, else what is not; asked again until the time is up."""
    limit = time.monotonic() + seconds
    while True:
        wrong = question()
        if not wrong:
            return
        if time.monotonic() > limit:
            raise Failed(f"after {seconds} s: {wrong}")
        time.sleep(pause)


def end_process(process):
    """Asks it to end, and kills it when it does not; one that has ended is left alone."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Guest:
    """Owns the QEMU process; use as a context manager. run is a directory of its own."""

    def __init__(self, share, run, device, extra=()):
        self.run = Path(run)
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(parents=True)
        self.ours = machine.is_ours(device)
        job = write_job(self.run / "job.tar")
        self.command = machine.command(share, self.run, device, job, extra)
        self.process = self.qmp = self.agent = None
        self.boot = None

    def __enter__(self):
        with open(self.run / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.qmp = Qmp(self._socket("qmp.sock"), ANSWER_SECONDS)
            self.agent = Lines.connect(self._socket("agent.sock"), ANSWER_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        end_process(self.process)

    def _socket(self, name):
        path = self.run / name
        limit = time.monotonic() + BOOT_SECONDS
        while not path.exists():
            self.check_alive()
            must(time.monotonic() < limit, f"QEMU did not open {name}")
            time.sleep(0.05)
        return path

    def log(self):
        return (self.run / "qemu.log").read_text(errors="replace")

    def console(self):
        return (self.run / "console.log").read_text(errors="replace")

    def check_alive(self):
        if self.process.poll() is not None:
            raise Failed(f"QEMU ended with {self.process.returncode}: {self.log()[-2000:]}")

    # --- the agent

    def _receive(self, seconds):
        limit = time.monotonic() + seconds
        while True:
            self.check_alive()
            try:
                return self.agent.receive(min(2, seconds))
            except TimeoutError:
                if time.monotonic() > limit:
                    raise Failed(f"the guest said nothing for {seconds} s; its console ends with: "
                                 f"{self.console()[-1500:]}") from None
            except Closed:
                self.check_alive()
                raise

    def wait_up(self, seconds=BOOT_SECONDS):
        """Waits for the agent of a kernel that has not been heard before."""
        while True:
            message = self._receive(seconds)
            if message.get("up") and message["up"] != self.boot:
                self.boot = message["up"]
                return

    def ask(self, seconds=ANSWER_SECONDS, **question):
        self.agent.send(question)
        message = self._receive(seconds)
        if "error" in message:
            raise Failed(f"the guest's agent: {message['error']}")
        return message

    def sh(self, text, seconds=60, check=True):
        """Runs a shell command to its end; its output, or (status, output) with check=False."""
        answer = self.ask(seconds + ANSWER_SECONDS, do="sh", text=text, limit=seconds)
        if not check:
            return answer["status"], answer["out"]
        must(answer["status"] == 0, f"'{text}' ended with {answer['status']}: {answer['out'][-1500:]}")
        return answer["out"]

    def spawn(self, name, text):
        return self.ask(do="spawn", text=text, name=name)["pid"]

    def frame(self, head=0):
        """What the guest's kernel says that the head shows: (width, height, digest); None when it is dark."""
        answer = self.ask(do="frame", head=head, pixels=False)
        return None if "dark" in answer else (answer["width"], answer["height"], answer["digest"])

    def frame_pixels(self, head=0):
        answer = self.ask(do="frame", head=head, pixels=True)
        return picture.Picture(answer["width"], answer["height"], zlib.decompress(base64.b64decode(answer["rgb"])))

    # --- the screen and the plugin

    def screen(self, head=0):
        path = self.run / f"screen{head}.ppm"
        self.qmp.execute("screendump", filename=str(path), device=machine.GPU_ID, head=head)
        return picture.read_ppm(path)

    def compare(self, head=0):
        """Empty when the host's screen is what the guest says that it shows, and both stand still meanwhile."""
        before = self.frame(head)
        seen = self.screen(head)
        after = self.frame(head)
        if before is None or after is None:
            return "the guest says that the head is dark"
        if before != after:
            return "the guest's picture moves"
        if before == (seen.width, seen.height, seen.digest()):
            return ""
        says = self.frame_pixels(head)
        says.write(self.run / "guest-says.ppm")
        return f"the guest's frame against the host's screen: {picture.difference(says, seen) or 'equal by now'}"

    def same_picture(self, head=0, seconds=SETTLE_SECONDS):
        """Waits until both are equal; the picture."""
        eventually(lambda: self.compare(head), seconds)
        return self.screen(head)

    def stats(self):
        return json.loads(self.qmp.execute("qom-get", path=f"/machine/peripheral/{machine.GPU_ID}",
                                           property="vramlink-stats"))

    def shown(self, head=0):
        """The plugin's facts on the blob that a head shows; None when it shows none."""
        for blob in self.stats()["blobs"]:
            if head in blob["scanouts"]:
                return blob
        return None

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def quit(self):
        """Ends QEMU; its exit code."""
        try:
            self.qmp.execute("quit")
        except (Closed, QmpError, OSError):
            pass
        return self.process.wait(60)
