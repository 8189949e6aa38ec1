# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as TAP, one line a check, printed as they come."""

import sys
import time
import traceback


class Failed(AssertionError):
    """A check does not hold; the text is a sentence."""


def must(holds, text):
    if not holds:
        raise Failed(text)


class Tap:
    def __init__(self, stream=sys.stdout):
        self.stream = stream
        self.count = 0
        self.failed = 0

    def _say(self, line):
        print(line, file=self.stream, flush=True)

    def check(self, name, function, *arguments):
        """Runs function(*arguments), which raises when the check does not hold and may return a comment."""
        self.count += 1
        start = time.monotonic()
        try:
            comment, word = function(*arguments), "ok"
        except Failed as failure:
            comment, word = str(failure), "not ok"
        except Exception:
            comment, word = traceback.format_exc(), "not ok"
        self.failed += word != "ok"
        self._say(f"{word} {self.count} - {name}")
        for line in str(comment or "").splitlines():
            self._say(f"# {line}")
        self._say(f"# {time.monotonic() - start:.1f} s")
        return word == "ok"

    def end(self):
        self._say(f"1..{self.count}")
        return 1 if self.failed else 0
