# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# ./dev build: Meson's build directories.
#   build/host   everything; the plugin is for this machine's QEMU
#   build/lab    the plugin for the QEMU in the host in a box
#   build/asan   the unit tests under AddressSanitizer and UndefinedBehaviorSanitizer

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

# ensure_build NAME TARGET TARGET_INI OPTION...: configured with these options, and TARGET compiled
ensure_build() {
    local name=$1 target=$2 ini=$3 key
    shift 3
    key=$({ echo "$*"; cat "$ini"; } | digest)
    if ! fresh "$BUILD/$name.stamp" "$key" "$BUILD/$name/build.ninja"; then
        step "configure-$name" "configured build/$name" configure "$name" "$@"
        stamp "$BUILD/$name.stamp" "$key"
    fi
    step "build-$name" "built build/$name" ninja -j "$JOBS" -C "$BUILD/$name" "$target"
}

ensure_builds() {
    ensure_build host all "$HEADERS/host/target.ini" "-Dqemu_headers=$HEADERS/host"
    ensure_build lab all "$HEADERS/lab/target.ini" "-Dqemu_headers=$HEADERS/lab" -Dtests=false -Dviewer=disabled
}

ensure_asan() {
    ensure_build asan meson-test-prereq /dev/null -Db_sanitize=address,undefined -Db_lundef=false \
        -Dviewer=disabled -Dqemu_headers=
}

run_build() {
    ensure_setup
    locked "$BUILD/lock" ensure_builds
}
