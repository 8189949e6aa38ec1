# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# What every script of the front door shares: where things are, progress lines, stamps, one lock.
#
# Sourced with REPO set to the root of the repository.

CACHE=${VRAMLINK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vramlink}
LIB=$REPO/tests/lab/lib
OUT=$REPO/out
LOGS=$OUT/log
BUILD=$REPO/build
JOBS=${VRAMLINK_JOBS:-$(nproc)}

say() { printf '%s\n' "$*"; }

die() {
    printf 'vramlink: %s\n' "$*" >&2
    exit 1
}

now_ms() { date +%s%3N; }

# progress START_MS TEXT: one line, with the seconds since START_MS
progress() {
    local ms=$(($(now_ms) - $1))
    printf '[%5d.%ds] %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$2"
}

# step NAME DONE_TEXT CMD...: runs CMD with its output in a log, then prints one line with its time.
# On failure the end of the log is shown and the script ends. In CMD, `note TEXT` appends to the line.
step() {
    local STEP=$1 text=$2 start log status=0
    shift 2
    mkdir -p "$LOGS"
    log=$LOGS/$STEP.log
    start=$(now_ms)
    rm -f "$LOGS/.note-$STEP"
    # A subshell without `||`, so that errexit stays in force inside CMD.
    set +e
    (set -e; "$@") >"$log" 2>&1 </dev/null
    status=$?
    set -e
    if [ $status -ne 0 ]; then
        progress "$start" "FAILED (exit $status): ${*:1:2}; the last lines of $log:"
        tail -n 30 "$log" | sed 's/^/    /'
        exit 1
    fi
    [ -e "$LOGS/.note-$STEP" ] && text="$text ($(cat "$LOGS/.note-$STEP"))"
    rm -f "$LOGS/.note-$STEP"
    progress "$start" "$text"
}

note() { printf '%s' "$*" >"$LOGS/.note-$STEP"; }

# beside CMD...: CMD in the background. A shell lets its background jobs ignore Ctrl-C; a job with a process group of
# its own is ended by end_beside().
BESIDE=()
beside() {
    trap 'end_beside; trap - INT; kill -INT $$' INT
    trap 'end_beside; trap - TERM; kill -TERM $$' TERM
    set -m
    "$@" </dev/null &
    set +m
    BESIDE+=($!)
}

end_beside() {
    local pid
    for pid in "${BESIDE[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
}

# Stamps: a step is done when its stamp holds the same key, a digest of all that the step depends on.
digest() { sha256sum | cut -c1-32; } # of the standard input

fresh() { # fresh STAMP KEY [FILE...]: the stamp has that key and the files exist
    local stamp=$1 key=$2 file
    shift 2
    [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] || return 1
    for file; do [ -e "$file" ] || return 1; done
}

stamp() { # stamp STAMP KEY
    mkdir -p "$(dirname "$1")"
    printf '%s\n' "$2" >"$1"
}

# locked FILE CMD...: one at a time; a second ./dev waits here. CMD runs in a subshell.
locked() {
    local file=$1
    shift
    mkdir -p "$(dirname "$file")"
    (
        exec 9>"$file"
        if ! flock --nonblock 9; then
            say "waiting for another ./dev ($file)"
            flock 9
        fi
        "$@"
    )
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}
