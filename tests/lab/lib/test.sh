# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# ./dev test: every suite, then one line `N passed, N failed[, N skipped]`. ./dev test long: the same for longer, and
# LONG_SUITES. VRAMLINK_LONG is set for it; the device tests read it for how often they repeat things.
#
# Meson's suites leave JUnit files, the others print TAP (`ok N - name`, `not ok N - name`, `# SKIP why`).

RESULTS=$OUT/test
LANES=${VRAMLINK_LANES:-2}
LONG_SUITES='soak kernel fuzz-heart demo-stopped'
LONG_SECONDS=${VRAMLINK_LONG_SECONDS:-600} # of each fuzzer
LONG_STORM=${VRAMLINK_LONG_STORM:-1000}
LONG_SOAK=${VRAMLINK_LONG_SOAK:-100000}

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

# as_tap WHAT CMD...: the exit code is the verdict
as_tap() {
    local what=$1
    shift
    echo 1..1
    if "$@" >&2; then
        echo "ok 1 - $what"
    else
        echo "not ok 1 - $what"
        return 1
    fi
}

# long_arguments SCRIPT: what ./dev test long gives it
long_arguments() {
    case $1 in
    tests/device/run-storm) echo "$LONG_STORM" ;;
    tests/device/run-fuzz | tests/races/run-races) echo "--seed $(date +%s) --seconds $LONG_SECONDS" ;;
    tests/compare/run-*) echo --long ;;
    tests/guest/run-linux) echo 60 ;;
    esac
}

# suite_script SCRIPT: its suite is called DIRECTORY-NAME, or NAME where both are the same
suite_script() {
    local directory name arguments=
    directory=$(basename "$(dirname "$1")")
    name=$(basename "$1" | sed 's/^run-//')
    [ "$directory" = "$name" ] || name=$directory-$name
    [ -z "${VRAMLINK_LONG:-}" ] || arguments=$(long_arguments "$1")
    [ -z "$arguments" ] || say "suite $name: $1 $arguments"
    # shellcheck disable=SC2086  # words
    suite_tap "$name" "$REPO/$1" $arguments
}

# run_suite NAME: one with a name of its own, or a script that prints TAP, by its path in the repository
run_suite() {
    case $1 in
    unit) suite_meson unit "$BUILD/host" --no-suite heart ;; # those: asan
    asan) suite_asan ;;
    demo) suite_tap demo "$REPO/tests/demo/demo" --tap --out "$RESULTS/demo" --seed 7 ;;
    demo-stopped) suite_tap demo-stopped "$REPO/tests/demo/demo" --tap --out "$RESULTS/demo-stopped" --stop-viewer ;;
    soak) suite_tap soak soak_in_lab "$LONG_SOAK" ;;
    kernel) suite_tap kernel "$REPO/dev" kernel test ;;
    fuzz-heart) suite_tap fuzz-heart as_tap 'the heart under libFuzzer' "$REPO/dev" fuzz --heart "$LONG_SECONDS" ;;
    tests/device/run-fuzz)
        locked "$BUILD/lock" true # until suite_asan has built the plugin
        suite_script "$1"
        ;;
    *) suite_script "$1" ;;
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
    first+=' tests/lab/run-self-test tests/device/run-storm tests/device/run-display-gone tests/compare/run-qtest'
    cd "$REPO" || return
    for script in tests/{model,shape,device,lab,guest,compare}/run-* tests/races/run-races; do
        case " $first $last " in *" $script "*) continue ;; esac
        [ ! -x "$script" ] || others+=("$script") # where there is no such directory, the pattern itself
    done
    [ -z "${VRAMLINK_LONG:-}" ] || first="$LONG_SUITES $first"
    # shellcheck disable=SC2086  # lists
    in_lanes "$LANES" $first "${others[@]}" $last
}

# run_tests [long|storm|debug-kernel]: everything, everything for longer, or that suite
run_tests() {
    case ${1:-} in
    '') ;;
    long) export VRAMLINK_LONG=1 ;;
    storm)
        run_storm
        return
        ;;
    debug-kernel)
        run_debug_kernel
        return
        ;;
    *) die "test: no suite '$1' of its own (long, storm, debug-kernel)" ;;
    esac
    rm -rf "$RESULTS"
    mkdir -p "$RESULTS"
    trap 'say "0 passed, 1 failed"' EXIT # a failed build is a failed test run
    run_build all build_kernel_modules current # with the test importer
    trap - EXIT
    all_suites
    "$REPO/tests/lab/summary" "$RESULTS"
}
