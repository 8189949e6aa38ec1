#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in L1: the device's benchmarks with real VFIO and udmabuf. udmabuf takes 1,024 ranges unless it is told otherwise;
# a scattered framebuffer in guest RAM has more, for QEMU's own device as for ours.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/l1/device-env
. "${VRAMLINK_LAB_L1:-/vramlink/src/tests/lab/l1}/device-env"
bind_gpus
[ -e /dev/udmabuf ] || modprobe udmabuf
echo 65536 >/sys/module/udmabuf/parameters/list_limit
exec "$here/bench-device" --vfio --out /out/lab.json "$@"
