# SPDX-License-Identifier: GPL-2.0-or-later
"""L1's screen, seen from outside: screendumps of L0's QEMU, compared with the test card."""

import filecmp
import json
import shutil
import subprocess
import time

APPEAR_SECONDS = 15  # a flip that the guest has seen done may still be on its way through the host
LOOK_AGAIN_SECONDS = 0.1


class Screen:
    def __init__(self, monitor, checker, scratch, job):
        self._monitor, self._checker, self._job = monitor, checker, job
        self.dump = scratch / "screen.ppm"
        self.neutral = scratch / "neutral.ppm"

    def take(self):
        self._monitor.execute("screendump", filename=str(self.dump))
        return self.dump

    def check(self, frame=None, png=None):
        """The checker's word on the last dump: compared with that frame's card, or only described."""
        command = [self._checker, self.dump, "--seed", self._job["seed"], "--width", self._job["width"],
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
            right = (result["width"], result["height"]) == (self._job["width"], self._job["height"])
            return {**result, "ok": right and 2 <= result["distinct_colours"] <= 16}

        result = self._until(describe)
        shutil.copy(self.dump, self.neutral)
        return result

    def expect_neutral(self, png=None):
        """The very picture of the beginning, so nothing of the guest's."""
        def same():
            return {**self.check(), "ok": filecmp.cmp(self.dump, self.neutral, shallow=False)}

        result = self._until(same)
        if png is not None:
            self.check(png=png)
        return result
