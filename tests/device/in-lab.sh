#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in L1: binds the lab's GPUs to vfio-pci and starts the device tests. See run-in-lab.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
bound=$("${VRAMLINK_LAB_L1:-/vramlink/src/tests/lab/l1}/bind-vfio")
VRAMLINK_VFIO=$(echo "$bound" | cut -d ' ' -f 1 | sort | tr '\n' ' ')
export VRAMLINK_VFIO
[ -e /dev/udmabuf ] || modprobe udmabuf # built into some kernels
nvme=$(lspci -D -d ::0108 | cut -d ' ' -f 1)
"${VRAMLINK_LAB_L1:-/vramlink/src/tests/lab/l1}/bind-vfio" "$nvme" >/dev/null
export VRAMLINK_VFIO_FLR="$nvme"
insmod /mnt/modules/vram-importer.ko
export VRAMLINK_UNWATCHED_PLUGIN="$here/unwatched/qemu-vramlink.so"
export VRAMLINK_VIEWER="$here/vramlink-viewer"
export TMPDIR=/run
export QTEST_QEMU_BINARY=qemu-system-x86_64
export VRAMLINK_PLUGIN="$here/qemu-vramlink.so"
export VRAMLINK_SLOW=5
export VRAMLINK_GL_DISPLAY=egl-headless,rendernode=/dev/dri/renderD128
exec "$here/device-tests" "$@"
