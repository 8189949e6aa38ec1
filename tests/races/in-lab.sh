#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in L1: binds the lab's GPUs to vfio-pci and starts the races. See run-in-lab.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/l1/device-env
. "${VRAMLINK_LAB_L1:-/vramlink/src/tests/lab/l1}/device-env"
bind_gpus
[ -e /dev/udmabuf ] || modprobe udmabuf
exec "$here/races" --vfio --bios "$here/races-bios.bin" --guard "$here/libraces-guard.so" \
    --qemu-env VRAMLINK_GUARD=256,4096 --qemu-env MALLOC_PERTURB_=165 "$@"
