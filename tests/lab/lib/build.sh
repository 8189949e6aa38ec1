# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# ./dev build: Meson's build directories.
#   build/host   everything but the benchmarks and the tests that build/asan has; the plugin is for this machine's QEMU
#   build/lab    the plugin for the QEMU in the host in a box
#   build/asan   the unit tests, the fuzzer's corpus and the plugin for the random guest (tests/device/fuzz) under AddressSanitizer and UndefinedBehaviorSanitizer

configure() { # configure NAME OPTION...
    local dir=$BUILD/$1
    shift
    if [ -e "$dir/build.ninja" ]; then
        meson setup --reconfigure "$dir" "$REPO" "$@"
    else
        rm -rf "$dir"
        meson setup "$dir" "$REPO" "$@"
    fi
}

PLUGIN='hw/qemu/qemu-vramlink.so hw/qemu/qemu-vramlink-device.so'
# What the demo runs, of build/host: no tests, so that the first picture comes soon.
DEMO_TARGETS="$PLUGIN tools/viewer/vramlink-viewer
    tools/viewer/gem-count tests/demo/gpu-painter tests/demo/testcard-check"
BENCH_TARGETS='all tests/bench/bench-heart tests/bench/bench-view tests/bench/device/bench-device'
# Line numbers in backtraces, no variables: a quarter less to compile. A build directory of one's own has them (docs/building.md).
DEBUG_INFO=(-Dc_args=-g1 -Dcpp_args=-g1)

# ensure_build NAME TARGETS TARGET_INI OPTION...: configured with these options, and TARGETS compiled
ensure_build() {
    local name=$1 targets=$2 ini=$3 key
    shift 3
    set -- "${DEBUG_INFO[@]}" "$@"
    key=$({ echo "$*"; cat "$ini"; } | digest)
    if ! fresh "$BUILD/$name.stamp" "$key" "$BUILD/$name/build.ninja"; then
        step "configure-$name" "configured build/$name" configure "$name" "$@"
        stamp "$BUILD/$name.stamp" "$key"
    fi
    # shellcheck disable=SC2086  # a list
    step "build-$name" "built build/$name" ninja -j "$JOBS" -C "$BUILD/$name" $targets
}

ensure_host() { # ensure_host TARGETS
    ensure_build host "$1" "$HEADERS/host/target.ini" "-Dqemu_headers=$HEADERS/host"
}

ensure_plugin_for_lab() {
    ensure_build lab "$PLUGIN tests/device/unwatched/qemu-vramlink-device.so" "$HEADERS/lab/target.ini" "-Dqemu_headers=$HEADERS/lab" -Dtests=false -Dviewer=disabled
}

ensure_asan() {
    ensure_build asan "meson-test-prereq $PLUGIN" "$HEADERS/host/target.ini" -Db_sanitize=address,undefined \
        -Db_lundef=false -Doptimization=1 -Dviewer=disabled "-Dqemu_headers=$HEADERS/host"
}

build_lab_side() { # build_lab_side [CMD...]
    locked "$CACHE/lock" set_up_lab
    [ $# -eq 0 ] || "$@"
    locked "$BUILD/lab.lock" ensure_plugin_for_lab
}

# run_build [TARGETS_OF_HOST [CMD...]]: CMD needs the lab only. The lab's side waits for downloads, the compiler for
# nobody: one beside the other.
run_build() {
    local targets=${1:-all} status=0
    [ $# -eq 0 ] || shift
    locked "$CACHE/lock" set_up_host
    beside build_lab_side "$@"
    set +e # and a subshell without `||`, so that errexit stays in force inside
    (set -e; locked "$BUILD/lock" ensure_host "$targets")
    status=$?
    set -e
    [ $status -eq 0 ] || end_beside
    wait "${BESIDE[-1]}" || status=$?
    [ $status -eq 0 ] || exit $status
}
