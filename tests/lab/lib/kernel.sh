# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# ./dev kernel: the modules of kernel/, against the headers of the lab's kernels.
#   $CACHE/build-root-NAME   a small Debian with the headers of kernel NAME and, because they depend on it, the
#                            compiler that it was built with; nothing of it is installed on the machine
#   build/kernel/NAME        vfio-pci-vram.ko, vram-importer.ko, and the kernel's config

KERNELS_ALL='current stable oldstable'
BUILD_ROOT_RECIPE=1

# The release of Debian that kernel NAME runs on, and all suites that its packages come from
build_root_suites() { case $1 in oldstable) echo bookworm ;; *) echo trixie trixie-updates trixie-backports ;; esac; }

make_build_root() { # make_build_root NAME
    local dir=$CACHE/build-root-$1 version suites
    version=$(cat "$LAB/kernel-$1/version")
    suites=$(build_root_suites "$1")
    rm -rf "$dir"
    sources_entry deb "$suites" | mmdebstrap --variant=essential \
        --include="linux-headers-$version,make,sparse" \
        --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
        --dpkgopt=path-exclude='/usr/share/man/*' --dpkgopt=path-exclude='/usr/share/doc/*' \
        --dpkgopt=path-exclude='/usr/share/locale/*' --format=directory "${suites%% *}" "$dir" - ||
        die "no build root for Linux $version; when the mirror has a newer one by now, remove $LAB/kernel-$1.stamp"
    note "Linux $version, $(du -sh "$dir" | cut -f1)"
}

ensure_build_root() { # ensure_build_root NAME
    local dir=$CACHE/build-root-$1 key
    [ "$1" != debug ] || { ensure_debug_build_root && return 0; }
    key=recipe-$BUILD_ROOT_RECIPE-$(cat "$LAB/kernel-$1/version")
    fresh "$dir.stamp" "$key" "$dir/usr/bin/make" && return 0
    step "build-root-$1" "made the build root for the kernel called $1" make_build_root "$1"
    stamp "$dir.stamp" "$key"
}

# in_build_root NAME CMD...: with /proc, which objtool reads
in_build_root() {
    local dir=$CACHE/build-root-$1
    shift
    # shellcheck disable=SC2016  # expanded by the inner shell
    as_root unshare --mount sh -ec 'dir=$1; shift; mount -t proc proc "$dir/proc"; exec chroot "$dir" "$@"' sh "$dir" "$@"
}

# A warning is an error. sparse 0.6.4 cannot read the headers of Linux 7.3 (__typeof_unqual__).
build_modules() { # build_modules NAME
    local dir=$CACHE/build-root-$1 out=$BUILD/kernel/$1 version arguments=()
    version=$(cat "$LAB/kernel-$1/version")
    case $1 in
    stable | oldstable) arguments=(C=1 CHECK=sparse) ;;
    debug) arguments=(CC=gcc-14) ;; # packages' headers name it themselves
    esac
    as_root rm -rf "$dir/tmp/vramlink"
    as_root cp -r "$REPO/kernel" "$dir/tmp/vramlink"
    in_build_root "$1" make -s -j "$JOBS" -C "/usr/lib/modules/$version/build" M=/tmp/vramlink W=1 \
        VRAMLINK_TESTING=m "${arguments[@]}" modules 2>&1 | tee "$LOGS/kernel-$1-make.log"
    if grep -E 'warning:|error:' "$LOGS/kernel-$1-make.log"; then die 'the modules build with warnings'; fi
    rm -rf "$out"
    mkdir -p "$out"
    cp "$dir"/tmp/vramlink/*/*.ko "$out"
    cp "$dir/usr/src/linux-headers-$version/.config" "$out/config"
    as_root rm -rf "$dir/tmp/vramlink"
    note "Linux $version"
}

ensure_modules() { # ensure_modules NAME
    local key
    ensure_build_root "$1"
    key=$({ find "$REPO/kernel" -type f -print0 | sort -z | xargs -0 cat; cat "$LAB/kernel-$1/version"; } | digest)
    fresh "$BUILD/kernel/$1.stamp" "$key" "$BUILD/kernel/$1/vfio-pci-vram.ko" && return 0
    step "kernel-$1" "built vfio-pci-vram for the kernel called $1" build_modules "$1"
    stamp "$BUILD/kernel/$1.stamp" "$key"
}

build_kernel_modules() { # build_kernel_modules NAME...
    local name
    locked "$CACHE/lock" ensure_packages
    for name; do
        locked "$CACHE/lock" ensure_kernel "$name"
        locked "$CACHE/build-root.lock" ensure_modules "$name"
    done
}

test_kernel_modules() { # test_kernel_modules NAME...
    build_kernel_modules "$@" >&2
    locked "$CACHE/lock" ensure_root >&2
    locked "$CACHE/lock" set_up_host >&2
    locked "$BUILD/lock" ensure_host tests/lab/devices/lab-devices.so >&2
    "$REPO/tests/kernel/run-in-lab" "$@"
}

run_kernel() { # run_kernel build|test [NAME...], run_kernel compare [FILTER]
    local verb=${1:-} names
    [ $# -gt 0 ] && shift
    if [ "$verb" = compare ]; then
        run_build >&2
        build_kernel_modules current >&2
        "$REPO/tests/kernel/compare" "$@"
        return
    fi
    names=${*:-$KERNELS_ALL}
    # shellcheck disable=SC2086  # names, one a word
    case $verb in
    build) build_kernel_modules $names ;;
    test)
        test_kernel_modules $names
        ;;
    *) die "kernel: '$verb'? (build, test, compare)" ;;
    esac
}
