# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's monitor, as much of it as the demo needs."""

from .lines import Lines


class QmpError(RuntimeError):
    """QEMU refused a command."""


class Qmp:
    def __init__(self, path, seconds=60):
        self._seconds = seconds
        self._lines = Lines.connect(path, seconds)
        self._lines.receive(seconds)  # the greeting
        self.execute("qmp_capabilities")

    def close(self):
        self._lines.close()

    def execute(self, command, **arguments):
        self._lines.send({"execute": command, "arguments": arguments})
        while True:
            answer = self._lines.receive(self._seconds)
            if "error" in answer:
                raise QmpError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
