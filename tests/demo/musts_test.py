#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Can every must fail? A good report is spoilt in one place at a time, and the judgement has to notice."""

import copy
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from demokit import l0_musts  # noqa: E402


def buffer(number):
    return {"id": number, "entries": 2025, "ranges": 2025, "plan": "shared", "reason": "fine", "imports": 1}


def good_report():
    counts = {"fds": (114, 117), "gem": (0, 0), "framebuffers": (1, 4), "dmabuf_fds": (2, 5)}
    revocation = {"neutral": True, "recovered": True, "blobs_after_release": 0,
                  "flip_with_memory_off": "ENODEV", "import_with_memory_off": "ENODEV"}
    for key, (idle, live) in counts.items():
        revocation.update({f"{key}_before": idle, f"{key}_live": live, f"{key}_after": idle, f"{key}_end": idle})
    return {
        "asked": {"width": 1920, "height": 1080, "frames": 60}, "failure": None,
        "frames": 60, "frames_flipped_by_viewer": 60, "superseded": 0, "exports": 3, "prime_imports": 3, "bytes_copied": 0,
        "mismatching_pixels": 0, "wrong_frame_mismatches": 2000000, "buffers": [buffer(n) for n in (2, 3, 4)],
        "checkpoints": [{"label": "frame", "ok": True}] * 8 + [{"label": "revoked", "ok": True}],
        "input": {"key": True, "button": True, "at": [0.501, 0.499]},
        "revocation": revocation, "qemu": {"version": "10.0.13", "stock": True},
        "ended": {"qemu": 0, "viewer": 0, "lab": 0},
    }


SPOILT = {  # path to a value, a wrong value for it
    ("failure",): "it broke", ("frames",): 59, ("frames_flipped_by_viewer",): 58, ("superseded",): 7, ("exports",): 60,
    ("input", "key"): False, ("input", "at"): [0.4, 0.5], ("input",): None, ("prime_imports",): 60, ("bytes_copied",): 4096, ("mismatching_pixels",): 1, ("wrong_frame_mismatches",): 0,
    ("checkpoints",): [{"label": "frame", "ok": True}] * 7, ("buffers", 1, "plan"): "mapped",
    ("buffers", 2, "ranges"): 2024, ("buffers", 0, "imports"): 2, ("revocation", "neutral"): False,
    ("revocation", "fds_after"): 115, ("revocation", "gem_after"): 1, ("revocation", "framebuffers_after"): 2,
    ("revocation", "dmabuf_fds_after"): 3, ("revocation", "fds_end"): 115, ("revocation", "gem_end"): 1,
    ("revocation", "dmabuf_fds_live"): 2, ("revocation", "framebuffers_live"): 1,
    ("revocation", "gem_before"): "unsupported", ("revocation", "import_with_memory_off"): "ok",
    ("revocation", "flip_with_memory_off"): "ok", ("revocation", "blobs_after_release"): 3,
    ("revocation", "recovered"): False, ("qemu", "version"): "7.2.0", ("qemu", "stock"): False,
    ("ended", "qemu"): -11, ("ended", "viewer"): 3, ("ended", "lab"): 124,
}


def good_window():
    """A run with weston: nothing is shared, and the user's click and key have arrived."""
    report = good_report()
    report["asked"]["screen"] = "window"
    report["viewer"] = {"note": "EOPNOTSUPP: the compositor has no zwp_linux_dmabuf_v1", "bytes_copied": 4096}
    return report


def good_stopped():
    """The viewer was stopped during the reset."""
    report = good_report()
    report["asked"]["stop_viewer"] = True
    report["revocation"].update(lingered=3, held_over=3, cut_off=1, reset_us=900000)
    for when in ("after", "end"):  # one descriptor of stock QEMU's, which keeps the listener
        report["revocation"][f"fds_{when}"] += 1
    return report


SPOILT_STOPPED = {("revocation", "lingered"): 0, ("revocation", "held_over"): 0, ("revocation", "cut_off"): 2,
                  ("revocation", "reset_us"): 30_000_000}

SPOILT_WINDOW = {
    ("viewer", "note"): None, ("viewer", "bytes_copied"): 0, ("input", "key"): False, ("input", "button"): False,
    ("input", "at"): [0.4, 0.5], ("input",): None, ("mismatching_pixels",): 1, ("revocation", "neutral"): False,
    ("revocation", "dmabuf_fds_end"): 3, ("revocation", "blobs_after_release"): 3, ("revocation", "recovered"): False,
    ("ended", "viewer"): 3,
}


def spoil(path, value, report=None):
    report = report or good_report()
    part = report
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = copy.deepcopy(value)
    return report


class Musts(unittest.TestCase):
    def test_a_good_report_passes(self):
        self.assertEqual([m for m in l0_musts.judge(good_report()) if not m["pass"]], [])

    def test_a_frame_that_the_device_gave_up_is_accounted_for(self):
        report = spoil(("superseded",), 1, spoil(("frames_flipped_by_viewer",), 59))
        self.assertEqual([m for m in l0_musts.judge(report) if not m["pass"]], [])

    def test_each_wrong_value_is_noticed(self):
        for path, value in SPOILT.items():
            with self.subTest(path=path):
                broken = [m for m in l0_musts.judge(spoil(path, value)) if not m["pass"]]
                self.assertTrue(broken)
                self.assertTrue(all(m["why"] for m in broken))

    def test_a_good_window_passes(self):
        self.assertEqual([m for m in l0_musts.judge(good_window()) if not m["pass"]], [])

    def test_each_wrong_value_of_a_window_is_noticed(self):
        for path, value in SPOILT_WINDOW.items():
            with self.subTest(path=path):
                broken = [m for m in l0_musts.judge(spoil(path, value, good_window())) if not m["pass"]]
                self.assertTrue(broken)

    def test_a_run_with_a_stopped_viewer_is_judged(self):
        self.assertEqual([m for m in l0_musts.judge(good_stopped()) if not m["pass"]], [])
        for path, value in SPOILT_STOPPED.items():
            with self.subTest(path=path):
                broken = [m for m in l0_musts.judge(spoil(path, value, good_stopped())) if not m["pass"]]
                self.assertTrue(broken)

    def test_what_was_not_measured_does_not_pass(self):
        for path in SPOILT:
            if path[0] in ("failure", "checkpoints", "buffers") or len(path) > 1 and path[0] == "qemu":
                continue
            with self.subTest(path=path):
                broken = [m for m in l0_musts.judge(spoil(path, None)) if not m["pass"]]
                self.assertTrue(broken)
                self.assertTrue(any(not m["measured"] for m in broken))


if __name__ == "__main__":
    unittest.main()
