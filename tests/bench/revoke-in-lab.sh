#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in L1: how long a revocation takes, under a viewer (bench_revoke.cpp). The GPU is the lab's NVMe controller.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
nvme=$(lspci -D -d ::0108 | cut -d ' ' -f 1)
"${VRAMLINK_LAB_L1:-/vramlink/src/tests/lab/l1}/bind-vfio" "$nvme" >/dev/null
export VRAMLINK_VFIO_FLR="$nvme"
export VRAMLINK_VIEWER="$here/vramlink-viewer"
export TMPDIR=/run
export QTEST_QEMU_BINARY=qemu-system-x86_64
export VRAMLINK_PLUGIN="$here/qemu-vramlink.so"
export VRAMLINK_SLOW=5
exec "$here/bench-device" --vfio --only revoke --out /out/revoke.json
