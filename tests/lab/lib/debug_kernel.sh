# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# ./dev test debug-kernel: a kernel of the lab's newest version with KASAN, lockdep and the like, built from Debian's
# linux-source package, and the tests of kernel/ on it.
#   $CACHE/build-root-debug    a small Debian with that source and the compiler; the kernel is built in it
#   $LAB/kernel-debug          the kernel and its modules

DEBUG_CONFIG=$REPO/tests/kernel/debug.config
DEBUG_ROOT_RECIPE=1

make_debug_build_root() {
    local dir=$CACHE/build-root-debug version suites
    version=$(cut -d. -f1,2 "$LAB/kernel-current/version")
    suites=$(build_root_suites debug)
    rm -rf "$dir"
    sources_entry deb "$suites" | mmdebstrap --variant=essential \
        --include="linux-source-$version,gcc-14,make,flex,bison,bc,libelf-dev,kmod,xz-utils" \
        --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
        --dpkgopt=path-exclude='/usr/share/man/*' --dpkgopt=path-exclude='/usr/share/doc/*' \
        --dpkgopt=path-exclude='/usr/share/locale/*' --format=directory "${suites%% *}" "$dir" -
    ln -s gcc-14 "$dir/usr/bin/gcc"
    mkdir "$dir/usr/src/linux"
    tar -x -f "$dir/usr/src/linux-source-$version.tar.xz" -C "$dir/usr/src/linux" --strip-components=1
    rm "$dir/usr/src/linux-source-$version.tar.xz"
    note "linux-source-$version, $(du -sh "$dir" | cut -f1)"
}

ensure_debug_build_root() {
    local dir=$CACHE/build-root-debug key
    key=recipe-$DEBUG_ROOT_RECIPE-$(cut -d. -f1,2 "$LAB/kernel-current/version")
    fresh "$dir.stamp" "$key" "$dir/usr/src/linux/Makefile" && return 0
    step build-root-debug 'made the build root for the debug kernel' make_debug_build_root
    stamp "$dir.stamp" "$key"
}

# An option that the kernel does not know, or whose needs are not met, vanishes silently: every line must be there.
check_debug_config() { # check_debug_config CONFIG
    local line missing=0
    while read -r line; do
        case $line in
        CONFIG_*=n) ! grep -q "^${line%=n}=" "$1" || { say "is set: ${line%=n}"; missing=1; } ;;
        CONFIG_*) grep -qxF "$line" "$1" || { say "is missing: $line"; missing=1; } ;;
        esac
    done <"$DEBUG_CONFIG"
    return $missing
}

# make_in_linux ARGUMENT...: make in the kernel's source
make_in_linux() { in_build_root debug make -s -C /usr/src/linux -j "$JOBS" CC=gcc-14 HOSTCC=gcc-14 KBUILD_BUILD_HOST=lab "$@"; }

build_debug_kernel() {
    local dir=$CACHE/build-root-debug to=$LAB/kernel-debug version
    cp "$DEBUG_CONFIG" "$dir/usr/src/linux/kernel/configs/vramlink.config"
    make_in_linux tinyconfig vramlink.config
    check_debug_config "$dir/usr/src/linux/.config"
    make_in_linux bzImage modules
    version=$(cat "$dir/usr/src/linux/include/config/kernel.release")
    rm -rf "$dir/tmp/to" "$to"
    make_in_linux INSTALL_MOD_PATH=/tmp/to/usr modules_install
    mkdir -p "$to"
    cp -r "$dir/tmp/to/usr" "$to"
    rm -r "$dir/tmp/to"
    ln -s usr/lib "$to/lib"
    cp "$dir/usr/src/linux/arch/x86/boot/bzImage" "$to/usr/lib/modules/$version/vmlinuz"
    # build_modules() and modules of ours find their headers as with a package.
    mkdir -p "$dir/usr/lib/modules/$version" "$dir/usr/src/linux-headers-$version"
    ln -sfn /usr/src/linux "$dir/usr/lib/modules/$version/build"
    cp "$dir/usr/src/linux/.config" "$dir/usr/src/linux-headers-$version"
    rm -f "$to/usr/lib/modules/$version/build"
    depmod -b "$to" "$version"
    printf '%s\n' "$version" >"$to/version"
    note "$version"
}

ensure_debug_kernel() {
    local key
    ensure_packaged_kernel current # which version
    ensure_debug_build_root
    key=$({ cat "$DEBUG_CONFIG" "$CACHE/build-root-debug.stamp"; echo "recipe-$DEBUG_ROOT_RECIPE"; } | digest)
    fresh "$LAB/kernel-debug.stamp" "$key" "$LAB/kernel-debug/version" "$LAB/kernel-debug.erofs" && return 0
    step kernel-debug 'built the debug kernel' build_debug_kernel
    step kernel-debug-pack 'packed its modules' pack_modules debug
    stamp "$LAB/kernel-debug.stamp" "$key"
}

# Ten thousand buffers in the storm, and time for it.
run_debug_kernel() {
    VRAMLINK_STORM=${VRAMLINK_STORM:-2500} VRAMLINK_TEST_LIMIT=${VRAMLINK_TEST_LIMIT:-3600} VRAMLINK_LAB_TIMEOUT=${VRAMLINK_LAB_TIMEOUT:-7200} \
        test_kernel_modules debug
}
