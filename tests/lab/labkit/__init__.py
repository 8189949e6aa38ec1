# SPDX-License-Identifier: GPL-2.0-or-later
"""The host in a box: its archives, its machine, its ports. Standard library only."""
