# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest in the host in a box: what L0, L1 and L2 run of tests/guest."""
