#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in L1: binds the lab's GPUs to vfio-pci and starts the device tests. See run-in-lab.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/l1/device-env
. "${VRAMLINK_LAB_L1:-/vramlink/src/tests/lab/l1}/device-env"
bind_gpus
bind_flr_gpu
[ -e /dev/udmabuf ] || modprobe udmabuf # built into some kernels
insmod /vramlink/modules/vram-importer.ko
export VRAMLINK_UNWATCHED_PLUGIN="$here/unwatched/qemu-vramlink.so"
export VRAMLINK_GL_DISPLAY=egl-headless,rendernode=/dev/dri/renderD128
exec "$here/device-tests" "$@"
