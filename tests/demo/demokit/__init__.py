# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's scripts: l0_* run on this machine, l1_* inside the host in a box, the rest in both."""
