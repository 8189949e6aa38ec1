#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in L1: how long a revocation takes, under a viewer (bench_revoke.cpp). The GPU is the lab's NVMe controller.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/l1/device-env
. "${VRAMLINK_LAB_L1:-/vramlink/src/tests/lab/l1}/device-env"
bind_flr_gpu
exec "$here/bench-device" --vfio --only revoke --out /out/revoke.json
