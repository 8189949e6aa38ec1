# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# ./dev fuzz [--races], ./dev soak, ./dev storm: what runs for as long as one likes.
#   build/asan   the plugin for the random guest on the real device (tests/device/fuzz)
#   build/fuzz   the libFuzzer target, compiled by clang 16 with AddressSanitizer and UndefinedBehaviorSanitizer

FUZZ_PACKAGES='clang-16 libclang-rt-16-dev'
FUZZ_FLAGS='-fsanitize=fuzzer-no-link'

ensure_fuzz_packages() {
    local name missing=()
    for name in $FUZZ_PACKAGES; do
        [ -n "$(installed_version "$name")" ] || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] || step apt-fuzz "installed ${missing[*]}" install_packages "${missing[@]}"
}

# The concepts macro: see lint.sh.
ensure_fuzz_build() {
    CC=clang-16 CXX=clang++-16 ensure_build fuzz tests/fuzz/fuzz-device "$HEADERS/host/target.ini" -Dfuzz=true \
        -Dviewer=disabled "-Dqemu_headers=$HEADERS/host" -Db_sanitize=address,undefined -Db_lundef=false \
        -Doptimization=1 "-Dc_args=$FUZZ_FLAGS" \
        "-Dcpp_args=$FUZZ_FLAGS -U__cpp_concepts -D__cpp_concepts=202002L -Wno-builtin-macro-redefined"
}

# run_fuzz [--heart|--device|--races] [SECONDS]: that one; otherwise half of the time each for the heart and for the
# whole device
run_fuzz() {
    local which=
    case ${1:-} in
    --heart | --device | --races) which=${1#--} && shift ;;
    --*) die "fuzz: unknown option '$1' (known: --heart, --device, --races)" ;;
    esac
    local seconds=${1:-60}
    ensure_setup
    case $which in
    heart) fuzz_heart "$seconds" ;;
    device) fuzz_device "$seconds" ;;
    races) fuzz_races "$seconds" ;;
    *)
        fuzz_heart $((seconds / 2))
        fuzz_device $((seconds - seconds / 2))
        ;;
    esac
}

# What it learns stays in out/fuzz/corpus, an input that breaks something in out/fuzz.
fuzz_heart() { # fuzz_heart SECONDS
    local seconds=$1 found=$OUT/fuzz
    locked "$CACHE/lock" ensure_fuzz_packages
    locked "$BUILD/lock" ensure_fuzz_build
    mkdir -p "$found/corpus"
    "$BUILD/fuzz/tests/fuzz/fuzz-device" -max_total_time="$seconds" -len_control=0 -max_len=2048 -timeout=20 \
        -print_final_stats=1 -artifact_prefix="$found/" "$found/corpus" "$REPO/tests/fuzz/corpus" 2>"$found/log" || {
        tail -n 40 "$found/log"
        die "fuzz: a finding; the input lies in $found, build/fuzz/tests/fuzz/fuzz-device FILE repeats it"
    }
    say "fuzz: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log") inputs in $seconds s, nothing found"
}

ensure_device_fuzz_build() {
    ensure_build host 'tests/device/device-fuzz' "$HEADERS/host/target.ini" "-Dqemu_headers=$HEADERS/host"
    ensure_asan
}

# A seed of its own each time; the log says which.
fuzz_device() { # fuzz_device SECONDS
    local log=$OUT/fuzz/device.log seed
    locked "$BUILD/lock" ensure_device_fuzz_build
    seed=$(date +%s)
    mkdir -p "$OUT/fuzz"
    "$REPO/tests/device/run-fuzz" --seed "$seed" --seconds "$1" >"$log" || {
        tail -n 40 "$log"
        die "fuzz: a finding on the real device; $log says how to repeat it: tests/device/run-fuzz --seed ..."
    }
    say "fuzz: $(sed -n 's/^# \([0-9]* streams.*\)/\1/p' "$log") in $1 s on the real device, first seed $seed"
}

# A seed of its own each time; half of the time here, half of it in the lab, where the GPU is a VFIO device.
fuzz_races() { # fuzz_races SECONDS
    local log=$OUT/fuzz/races.log seed
    seed=$(date +%s)
    run_build
    mkdir -p "$OUT/fuzz"
    {
        "$REPO/tests/races/run-races" --seed "$seed" --seconds $(($1 / 2)) &&
            "$REPO/tests/races/run-in-lab" --seed "$seed" --seconds $(($1 - $1 / 2)) --accel tcg --accel kvm
    } >"$log" || {
        grep -v '^ok' "$log"
        die "fuzz: a finding of the races; $log says how to repeat it"
    }
    say "fuzz: $(sed -n 's/^# \([0-9]*\) rounds.*/\1/p' "$log" | awk '{ all += $1 } END { print all }') rounds of races in $1 s, first seed $seed, nothing found"
}

soak_in_lab() { # soak_in_lab CYCLES
    local cycles=$1
    # For 10 cycles a second; the tests' own time limit is five times as long in the lab.
    VRAMLINK_SOAK=$cycles VRAMLINK_TEST_LIMIT=$((60 + cycles / 50)) VRAMLINK_LAB_TIMEOUT=$((600 + cycles / 10)) \
        VRAMLINK_LAB_OUT=$OUT/soak "$REPO/tests/device/run-in-lab" --gtest_filter='VfioSoak*'
}

run_soak() { # run_soak [CYCLES]
    run_build
    soak_in_lab "${1:-100000}"
    cat "$OUT/soak/soak.txt"
}

run_storm() { # run_storm [REVOCATIONS] [--seed S]
    run_build
    build_kernel_modules current
    "$REPO/tests/device/run-storm" "$@"
    cat "$OUT/storm/storm.txt"
}
