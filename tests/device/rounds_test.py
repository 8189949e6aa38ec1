#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""rounds, with a lab that is a shell script: $1 is --from=N in the second one."""

import subprocess
import unittest
from pathlib import Path

ROUNDS = Path(__file__).with_name("rounds")
PLAN = "if [ -z $1 ]; then echo TAP version 13; echo 1..3; echo ok 1 - a; "
LAST = "echo ok 3 - c; exit 0"
STUCK = "echo 'Bail out! the kernel is stuck at 2 - b'; exit 1"


class Rounds(unittest.TestCase):
    def run_lab(self, first, second=":"):
        script = f"{PLAN} {first}; else [ $1 = --from=2 ] || exit 9; {second}; fi"
        done = subprocess.run([ROUNDS, "sh", "-c", script, "lab"], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()

    def verdicts(self, lines):
        return [line for line in lines if not line.startswith("#")]

    def test_nothing_happens(self):
        status, lines = self.run_lab(f"echo ok 2 - b; echo '## 3 ms'; {LAST}")
        self.assertEqual(status, 0)
        self.assertEqual(lines, ["TAP version 13", "1..3", "ok 1 - a", "ok 2 - b", "## 3 ms", "ok 3 - c"])

    def test_a_stuck_kernel_is_replaced(self):
        stack = "echo '# worker (7) waits in the kernel: virtio_gpu_queue < schedule'"
        status, lines = self.run_lab(f"{stack}; {STUCK}", f"echo ok 2 - b; {LAST}")
        self.assertEqual(status, 0)
        self.assertEqual(self.verdicts(lines), ["TAP version 13", "1..3", "ok 1 - a", "ok 2 - b", "ok 3 - c"])
        self.assertIn("## test 2 once more in a new lab: the kernel is stuck at 2 - b", lines)

    def test_so_is_a_lab_that_dies(self):
        status, lines = self.run_lab("exit 125", f"echo ok 2 - b; {LAST}")
        self.assertEqual(status, 0)
        self.assertEqual(self.verdicts(lines)[-2:], ["ok 2 - b", "ok 3 - c"])

    def test_once(self):
        status, lines = self.run_lab(STUCK, STUCK)
        self.assertNotEqual(status, 0)
        self.assertEqual(self.verdicts(lines)[-1], "Bail out! the kernel is stuck at 2 - b")
        self.assertEqual(self.run_lab("exit 125", "exit 125")[0], 125)

    def test_a_revocation_that_hangs_is_a_failure(self):
        stack = "echo '# qemu (7) waits in the kernel: vfio_pci_dma_buf_move+0x1/0x2 < vfio_pci_rw'"
        status, lines = self.run_lab(f"{stack}; {STUCK}", f"echo ok 2 - b; {LAST}")
        self.assertNotEqual(status, 0)
        self.assertNotIn("ok 2 - b", lines)

    def test_a_failure_is_not_forgotten(self):
        status, lines = self.run_lab(f"echo not ok 2 - b; {LAST}")
        self.assertNotEqual(status, 0)
        status, lines = self.run_lab(STUCK, f"echo not ok 2 - b; {LAST}")
        self.assertNotEqual(status, 0)
        self.assertIn("not ok 2 - b", lines)


if __name__ == "__main__":
    unittest.main()
