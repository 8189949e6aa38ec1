# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# ./dev lint: format, static analysis, scripts, the kernel's checkpatch.pl on kernel/. Every check runs; the first failure does not hide the others.

tracked() { git -C "$REPO" ls-files -- "$@"; }

lint_format() {
    cd "$REPO"
    tracked '*.c' '*.h' '*.cpp' '*.hpp' | xargs -r clang-format --dry-run -Werror
}

# clang 16 with libstdc++ 12 sees std::expected only with the concepts macro of C++20; clang-tidy 14, bookworm's
# default, crashes on it. gcc finds a precompiled header in the build directory, clang reads it as a header.
tidy_one() {
    local extra=(--extra-arg=-Wno-unknown-warning-option "--extra-arg=-I$REPO/tests/device/pch")
    case $1 in *.cpp)
        extra+=(--extra-arg=-U__cpp_concepts --extra-arg=-D__cpp_concepts=202002L --extra-arg=-Wno-builtin-macro-redefined)
        ;;
    esac
    clang-tidy-16 --quiet -p "$BUILD/host" "${extra[@]}" "$1"
}

lint_tidy() {
    export -f tidy_one
    export BUILD REPO
    cd "$REPO"
    # Only what is compiled: a file without a compile command would be judged with made-up flags.
    python3 -c '
import json, os, sys
top = sys.argv[2] + "/"
for command in json.load(open(sys.argv[1])):
    path = os.path.normpath(os.path.join(command["directory"], command["file"]))
    if path.startswith(top) and not path.startswith(top + "build/"):
        print(path[len(top):])' "$BUILD/host/compile_commands.json" "$REPO" | sort -u |
        xargs -r -n 1 -P "$JOBS" bash -c 'tidy_one "$0"'
}

lint_cppcheck() {
    cd "$REPO"
    tracked '*.c' '*.cpp' | xargs -r cppcheck --quiet -j "$JOBS" --error-exitcode=1 --inline-suppr -I include -I . \
        --enable=warning,performance,portability --suppressions-list=tests/lab/cppcheck-suppressions.txt \
        --library=googletest --library=posix --library=gnu
}

scripts_of() { # scripts_of INTERPRETER_PATTERN: tracked files whose first line names it
    local file
    tracked | while read -r file; do
        [ -f "$REPO/$file" ] && head -n 1 "$REPO/$file" | grep -qaE "^#!.*\b($1)\b" && echo "$file"
    done
}

lint_shell() {
    cd "$REPO"
    { scripts_of 'bash|sh|dash'; tracked '*.sh'; } | sort -u | xargs -r shellcheck --severity=warning --external-sources
}

lint_python() {
    cd "$REPO"
    { scripts_of python3; tracked '*.py'; } | sort -u |
        PYTHONPYCACHEPREFIX=$OUT/pycache xargs -r python3 -m py_compile
}

CHECKPATCH=$CACHE/checkpatch

# Of the lab's newest kernel's source package, three files are kept.
fetch_checkpatch() { # fetch_checkpatch VERSION
    local debs
    debs=$(mktemp -d)
    kernel_lists current
    (cd "$debs" && in_trixie apt-get download "linux-source-$1")
    rm -rf "$CHECKPATCH"
    mkdir -p "$CHECKPATCH"
    dpkg-deb --fsys-tarfile "$debs"/linux-source-*.deb | tar -x -O "./usr/src/linux-source-$1.tar.xz" |
        tar -x -J -C "$CHECKPATCH" --strip-components=2 --wildcards \
            '*/scripts/checkpatch.pl' '*/scripts/spelling.txt' '*/scripts/const_structs.checkpatch'
    rm -r "$debs"
    note "linux-source-$1"
}

ensure_checkpatch() {
    local version
    ensure_packaged_kernel current
    version=$(cut -d. -f1,2 "$LAB/kernel-current/version")
    fresh "$CHECKPATCH.stamp" "$version" "$CHECKPATCH/checkpatch.pl" && return 0
    step checkpatch "fetched the kernel's checkpatch.pl" fetch_checkpatch "$version"
    stamp "$CHECKPATCH.stamp" "$version"
}

# kzalloc_obj(), which it would like, came with Linux 7.
lint_checkpatch() {
    cd "$REPO"
    tracked 'kernel/*.c' 'kernel/*.h' |
        xargs -r perl "$CHECKPATCH/checkpatch.pl" --no-tree -f --terse --no-summary --show-types --ignore ALLOC_WITH_SIZEOF
}

# run_lint [CHECK...]: all of them when none is named
run_lint() {
    local check failed=0 start status checks='format shell python checkpatch cppcheck tidy'
    for check; do
        case " $checks " in *" $check "*) ;; *) die "lint: no check is called '$check' (there are: $checks)" ;; esac
    done
    # shellcheck disable=SC2086  # words
    [ $# -gt 0 ] || set -- $checks
    run_build
    locked "$CACHE/lock" ensure_checkpatch
    mkdir -p "$LOGS"
    for check; do
        start=$(now_ms)
        status=0
        (set -e; "lint_$check") >"$LOGS/lint-$check.log" 2>&1 || status=$?
        if [ $status -ne 0 ]; then
            failed=1
            grep -v 'warnings generated\|warning generated' "$LOGS/lint-$check.log" | tail -n 60
            progress "$start" "lint $check: FAILED, see $LOGS/lint-$check.log"
        else
            progress "$start" "lint $check: clean"
        fi
    done
    return $failed
}
