# SPDX-License-Identifier: GPL-2.0-or-later
"""L1's screen, seen from outside: screendumps of L0's QEMU, compared with the test card."""

import filecmp
import json
import shutil
import subprocess
import time

from . import l0_window

APPEAR_SECONDS = 15  # a flip that the guest has seen done may still be on its way through the host
LOOK_AGAIN_SECONDS = 0.1
FEWEST_COLOURS, MOST_COLOURS = 2, 16  # of a picture that is no test card


class Screen:
    def __init__(self, monitor, checker, scratch, job):
        self.monitor, self._checker, self._job = monitor, checker, job
        self.where = None  # the window: x, y, width, height
        self.dump = scratch / "screen.ppm"
        self.neutral = scratch / "neutral.ppm"
        self.windowed = job["screen"] != "kms"
        self.picture = scratch / "window.ppm" if self.windowed else self.dump  # what the guest's picture is

    def take(self):
        self.monitor.execute("screendump", filename=str(self.dump))
        if self.windowed:
            self.where = l0_window.crop(self.dump, self.picture)
            if self.where is None:
                l0_window.write_ppm(self.picture, 1, 1, l0_window.BACKGROUND)
        return self.picture

    def check(self, frame=None, png=None):
        """The checker's word on the last dump: compared with that frame's card, or only described. A png is of
        the whole screen."""
        picture = self.picture if png is None else self.dump
        command = [self._checker, picture, "--seed", self._job["seed"], "--width", self._job["width"],
                   "--height", self._job["height"]]
        if frame is not None:
            command += ["--frame", frame]
        if png is not None:
            command += ["--png", png]
        result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if result.returncode not in (0, 1):
            raise RuntimeError(result.stderr.strip() or f"testcard-check ended with {result.returncode}")
        return json.loads(result.stdout)

    def _until(self, good):
        """Dumps until good() is content or the time is over; returns its last result with the waiting time."""
        start = time.monotonic()
        while True:
            self.take()
            result = good()
            result["appeared_after_ms"] = round((time.monotonic() - start) * 1000)
            if result["ok"] or time.monotonic() - start > APPEAR_SECONDS:
                return result
            time.sleep(LOOK_AGAIN_SECONDS)

    def expect_frame(self, frame, png=None):
        def compare():
            result = self.check(frame)
            return {**result, "ok": result["mismatching_pixels"] == 0 and result["right_size"]}

        result = self._until(compare)
        if png is not None:
            self.check(png=png)
        return result

    def remember_neutral(self):
        """What the viewer shows while no guest has a picture: something drawn, in the right size."""
        def describe():
            result = self.check()
            if self.windowed:  # QEMU's own pictures are shown as well, in their sizes
                return {**result, "ok": FEWEST_COLOURS <= result["distinct_colours"] <= MOST_COLOURS}
            right = (result["width"], result["height"]) == (self._job["width"], self._job["height"])
            return {**result, "ok": right and FEWEST_COLOURS <= result["distinct_colours"] <= MOST_COLOURS}

        result = self._until(describe)
        shutil.copy(self.picture, self.neutral)
        return result

    def expect_neutral(self, png=None):
        """The very picture of the beginning, so nothing of the guest's."""
        def same():
            if self.windowed:
                return {**(result := self.check()), "ok": result["distinct_colours"] <= MOST_COLOURS}
            return {**self.check(), "ok": filecmp.cmp(self.dump, self.neutral, shallow=False)}

        result = self._until(same)
        if png is not None:
            self.check(png=png)
        return result
