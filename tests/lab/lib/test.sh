# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# ./dev test: every suite, then one line `N passed, N failed[, N skipped]`.
#
# Meson's suites leave JUnit files, the others print TAP (`ok N - name`, `not ok N - name`, `# SKIP why`).

RESULTS=$OUT/test
LANES=${VRAMLINK_LANES:-2}

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

# What failed, with the first lines of what each of them says of it: the machine that ran it may be gone tomorrow.
print_failures() { # print_failures FILE.tap
    awk '/^(not ok|Bail out!)/ { print; left = 8; next }
         /^ok/ { left = 0 }
         left > 0 && /Failure$|Value of:|Actual:|Expected|Which is|waits in the kernel|still running|SIGKILL|process has ended/ {
             print substr($0, 1, 300); left-- }' "$1"
}

# suite_tap NAME CMD...: a command that prints TAP; a bad exit without a failed line counts as a failure
suite_tap() {
    local name=$1 start status=0
    shift
    start=$(now_ms)
    "$@" >"$RESULTS/$name.tap" 2>"$RESULTS/$name.log" </dev/null || status=$?
    if [ $status -ne 0 ] && ! grep -qE '^(not ok|Bail out!)' "$RESULTS/$name.tap"; then
        echo "not ok 9999 - $name ended with exit code $status" >>"$RESULTS/$name.tap"
    fi
    if [ $status -ne 0 ]; then
        print_failures "$RESULTS/$name.tap"
        tail -n 40 "$RESULTS/$name.log"
    fi
    progress "$start" "suite $name: exit $status"
}

# ./dev compare: other people's tests on a stock virtio-gpu and on ours, all of them; the tables are in out/compare
run_compare() {
    local part status=0
    run_build
    mkdir -p "$OUT/compare"
    for part in qtest guest; do
        "$REPO/tests/compare/run-$part" --long >"$OUT/compare/$part.tap" || status=1
        grep '^not ok' "$OUT/compare/$part.tap" || true
        cat "$OUT/compare/$part.md"
    done
    return $status
}

# The unit tests under sanitizers are compiled while others run.
suite_asan() {
    if (locked "$BUILD/lock" ensure_asan); then
        suite_meson asan "$BUILD/asan"
    else
        echo "not ok 1 - the build with sanitizers" >"$RESULTS/asan.tap"
    fi
}

# run_suite NAME: unit, asan, demo, or a script that prints TAP, by its path in the repository
run_suite() {
    case $1 in
    unit) suite_meson unit "$BUILD/host" --no-suite heart ;; # those: asan
    asan) suite_asan ;;
    demo) suite_tap demo "$REPO/tests/demo/demo" --tap --out "$RESULTS/demo" --seed 7 ;;
    *) suite_tap "$(basename "$(dirname "$1")")-$(basename "$1" | sed 's/^run-//')" "$REPO/$1" ;;
    esac
}

# in_lanes N SUITE...: N at a time, in this order. A suite waits for its machines more than it computes.
in_lanes() {
    local lanes=$1 running=0 suite
    shift
    for suite; do
        if [ $running -ge "$lanes" ]; then
            wait -n || true
            running=$((running - 1))
        fi
        beside run_suite "$suite"
        running=$((running + 1))
    done
    wait
}

# The long ones first, then whatever else there is; what needs the build with sanitizers, last.
all_suites() {
    local script first='tests/device/run-in-lab asan tests/device/run-local unit demo tests/guest/run-linux tests/compare/run-guest'
    local last='tests/device/run-fuzz' others=()
    cd "$REPO" || return
    for script in tests/{model,shape,device,lab,guest,compare}/run-*; do
        case " $first $last " in *" $script "*) ;; *) others+=("$script") ;; esac
    done
    # shellcheck disable=SC2086  # a list
    in_lanes "$LANES" $first "${others[@]}"
    run_suite "$last"
}

# run_tests [storm|debug-kernel]: everything, or that suite
run_tests() {
    case ${1:-} in
    '') ;;
    storm)
        run_storm
        return
        ;;
    debug-kernel)
        run_debug_kernel
        return
        ;;
    *) die "test: no suite '$1' of its own (storm, debug-kernel)" ;;
    esac
    rm -rf "$RESULTS"
    mkdir -p "$RESULTS"
    trap 'say "0 passed, 1 failed"' EXIT # a failed build is a failed test run
    run_build all build_kernel_modules current # with the test importer
    trap - EXIT
    all_suites
    "$REPO/tests/lab/summary" "$RESULTS"
}
