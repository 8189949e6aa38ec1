# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# ./dev test: every suite, then one line `N passed, N failed[, N skipped]`.
#
# Meson's suites leave JUnit files, the others print TAP (`ok N - name`, `not ok N - name`, `# SKIP why`).

RESULTS=$OUT/test

# suite_meson NAME BUILD_DIR OPTION...
suite_meson() {
    local name=$1 dir=$2 start status=0
    shift 2
    start=$(now_ms)
    meson test -C "$dir" --no-rebuild --print-errorlogs --num-processes "$JOBS" "$@" \
        >"$RESULTS/$name.log" 2>&1 || status=$?
    cp "$dir/meson-logs/testlog.junit.xml" "$RESULTS/$name.junit.xml" 2>/dev/null ||
        echo "not ok 1 - $name: meson test left no results (exit $status)" >"$RESULTS/$name.tap"
    [ $status -eq 0 ] || tail -n 40 "$RESULTS/$name.log"
    progress "$start" "suite $name: exit $status"
}

# suite_tap NAME CMD...: a command that prints TAP; a bad exit without a failed line counts as a failure
suite_tap() {
    local name=$1 start status=0
    shift
    start=$(now_ms)
    "$@" >"$RESULTS/$name.tap" 2>"$RESULTS/$name.log" </dev/null || status=$?
    if [ $status -ne 0 ] && ! grep -q '^not ok' "$RESULTS/$name.tap"; then
        echo "not ok 9999 - $name ended with exit code $status" >>"$RESULTS/$name.tap"
    fi
    if [ $status -ne 0 ]; then
        grep '^not ok' "$RESULTS/$name.tap"
        tail -n 40 "$RESULTS/$name.log"
    fi
    progress "$start" "suite $name: exit $status"
}

# The demo's own exit code is the test: it is 0 only if every must of its report holds.
demo_as_tap() {
    local out=$OUT/test/demo
    if "$REPO/tests/demo/demo" --out "$out" --seed 7; then
        echo "ok 1 - the demo's picture, figures and revocation"
    else
        echo "not ok 1 - the demo's picture, figures and revocation (exit $?, see $out)"
        return 1
    fi >&3
}

run_demo_suite() { demo_as_tap 3>&1 >&2; }

run_tests() {
    rm -rf "$RESULTS"
    mkdir -p "$RESULTS"
    trap 'say "0 passed, 1 failed"' EXIT # a failed build is a failed test run
    ensure_setup
    ensure_builds
    ensure_asan
    trap - EXIT
    drop_lock
    suite_meson unit "$BUILD/host"
    suite_meson asan "$BUILD/asan"
    local script
    for script in "$REPO"/tests/device/run-* "$REPO"/tests/lab/run-*; do
        [ -x "$script" ] && suite_tap "$(basename "$(dirname "$script")")-$(basename "$script" | sed 's/^run-//')" "$script"
    done
    [ -x "$REPO/tests/demo/demo" ] && suite_tap demo run_demo_suite
    "$REPO/tests/lab/summary" "$RESULTS"
}
