#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in L1: what a guest's desktop costs the host, on a display that imports (bench_desktop.cpp).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/l1/device-env
. "${VRAMLINK_LAB_L1:-/vramlink/src/tests/lab/l1}/device-env"
bind_gpus
[ -e /dev/udmabuf ] || modprobe udmabuf
echo 65536 >/sys/module/udmabuf/parameters/list_limit
exec "$here/bench-device" --vfio --only desktop --out /out/desktop.json
