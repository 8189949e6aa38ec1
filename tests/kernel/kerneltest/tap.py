# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests as functions, results as TAP."""

import os
import re
import sys
import threading
import traceback
from pathlib import Path

TEST_SECONDS = int(os.environ.get("VRAMLINK_TEST_LIMIT", "480"))  # only a hang takes as long, also on a loaded machine


class Skip(Exception):
    """Why a test cannot run here."""


class Suite:
    """Runs tests in order; each begins and ends with the same machine, or the suite says which one broke it."""

    def __init__(self, name, after_each=lambda: None, only=""):
        """only: a regular expression that the names of the tests to run match; empty: all."""
        self.name = name
        self.only = re.compile(only)
        self.after_each = after_each
        self.count = 0
        self.failed = 0

    def run(self, name, function, *arguments):
        if not self.only.search(name):
            return
        self.count += 1
        line = f"{self.count} - {self.name}: {name}"
        watchdog = threading.Timer(TEST_SECONDS, hung, [line])
        watchdog.start()
        try:
            function(*arguments)
            self.after_each()
        except Skip as why:
            print(f"ok {line} # SKIP {why}", flush=True)
        except Exception:  # a test may fail in any way; the others run
            self.failed += 1
            for text in traceback.format_exc().splitlines():
                print(f"# {text}")
            print(f"not ok {line}", flush=True)
        else:
            print(f"ok {line}", flush=True)
        finally:
            watchdog.cancel()


def hung(line):
    """A test that does not end cannot be left behind: where its threads are in the kernel, and no further test."""
    for task in sorted(Path("/proc/self/task").iterdir()):
        for frame in (task / "stack").read_text().splitlines()[:12]:
            note(f"{task.name} {frame}")
    for ident, frame in sys._current_frames().items():
        for text in traceback.format_stack(frame)[-3:]:
            note(f"{ident} {text.strip()}")
    print(f"not ok {line} # hangs", flush=True)
    os._exit(1)


def equal(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}: {got!r}, expected {expected!r}")


def note(text):
    print(f"# {text}", flush=True)
