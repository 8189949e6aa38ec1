# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of kernel/: VFIO, dma-bufs and the test importer from user space. Runs as root in the lab's L1."""
