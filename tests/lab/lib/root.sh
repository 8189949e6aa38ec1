# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The pieces of the host in a box, made once and kept in the cache:
#   lab/kernel-NAME                         a kernel unpacked (vmlinuz, usr/lib/modules) with its modules.dep;
#                                           NAME: current, stable, oldstable, debug (debug_kernel.sh)
#   lab/kernel-NAME.erofs                   its modules, mounted at /usr/lib/modules
#   lab/root, lab/root.erofs                Debian trixie, as a directory and packed
#   lab/boot-NAME.cpio                      the initramfs that puts these together

LAB=$CACHE/lab
# Raise these when the recipe below changes what it makes.
KERNEL_RECIPE=1
ROOT_RECIPE=1

# kernel_suite NAME: the suite that its packages come from
kernel_suite() {
    case $1 in
    current) echo trixie-backports ;;
    stable) echo trixie ;;
    oldstable) echo bookworm ;;
    *) die "no kernel called '$1': current (trixie-backports), stable (trixie) or oldstable (bookworm)" ;;
    esac
}

# kernel_apt NAME: the private apt configuration that knows its suite
kernel_apt() { case $1 in oldstable) echo in_bookworm ;; *) echo in_trixie ;; esac; }

# kernel_lists NAME: that configuration, with lists that are not too old
kernel_lists() {
    case $1 in
    oldstable) private_update bookworm 'bookworm bookworm-backports' ;;
    *) private_update trixie 'trixie trixie-updates trixie-backports' ;;
    esac
}

# kernel_closure APT PACKAGE=VERSION...: those packages and the linux-* packages that they depend on
kernel_closure() {
    local apt=$1 seen=' ' item deps
    shift
    local queue=("$@")
    while [ ${#queue[@]} -gt 0 ]; do
        item=${queue[0]}
        queue=("${queue[@]:1}")
        case $seen in *" $item "*) continue ;; esac
        seen="$seen$item "
        deps=$("$apt" apt-cache show "$item" | sed -n 's/^\(Pre-\)\?Depends: //p' | tr ',' '\n' |
            sed -n 's/^ *\(linux-[^ ]*\) (= \([^)]*\)).*/\1=\2/p')
        # shellcheck disable=SC2206  # names without spaces, one a word
        queue+=($deps)
    done
    printf '%s\n' $seen
}

# kernel_meta APT SUITE: the package that linux-image-amd64 of a suite stands for, as NAME=VERSION
kernel_meta() {
    local version
    version=$("$1" apt-cache madison linux-image-amd64 |
        awk -F'|' -v s="$2/main" '{ gsub(/ /, "", $2); split($3, w, " ") } w[2] == s { print $2; exit }')
    [ -n "$version" ] || die "the mirror's $2 has no linux-image-amd64"
    printf 'linux-image-amd64=%s\n' "$version"
}

# Newer packages keep the kernel beside its modules, older ones in /boot.
kernel_image() { # kernel_image NAME
    local dir=$LAB/kernel-$1 file
    for file in "$dir"/usr/lib/modules/*/vmlinuz "$dir"/boot/vmlinuz-*; do
        [ -e "$file" ] && printf '%s\n' "$file" && return 0
    done
    die "no vmlinuz in the kernel's packages"
}

fetch_kernel() { # fetch_kernel NAME
    local dir=$LAB/kernel-$1 suite apt debs packages version
    suite=$(kernel_suite "$1")
    apt=$(kernel_apt "$1")
    debs=$CACHE/debs/$suite
    kernel_lists "$1"
    mkdir -p "$debs"
    rm -f "$debs"/linux-*.deb
    version=$(kernel_meta "$apt" "$suite")
    packages=$(kernel_closure "$apt" "$version")
    # shellcheck disable=SC2086  # NAME=VERSION, one a word
    (cd "$debs" && "$apt" apt-get download $packages)
    rm -rf "$dir"
    mkdir -p "$dir/usr/lib"
    ln -s usr/lib "$dir/lib"
    for deb in "$debs"/linux-*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --keep-directory-symlink; done
    rm -rf "$debs" "${dir:?}/usr/share"
    version=$(ls "$dir/usr/lib/modules")
    depmod -b "$dir" "$version"
    kernel_image "$1" >/dev/null
    printf '%s\n' "$version" >"$dir/version"
    note "$version"
}

pack_modules() { # pack_modules NAME
    mkfs.erofs -zlz4 -T0 --all-root "$LAB/kernel-$1.erofs.new" "$LAB/kernel-$1/usr/lib/modules"
    mv "$LAB/kernel-$1.erofs.new" "$LAB/kernel-$1.erofs"
}

make_boot_initramfs() { # make_boot_initramfs NAME
    "$REPO/tests/lab/mkinitramfs" --out "$LAB/boot-$1.cpio" --kernel-root "$LAB/kernel-$1" \
        --module virtio_pci --module virtio_blk --module virtio_console --module erofs --module overlay \
        --init "$REPO/tests/lab/l1/initramfs-init"
}

root_packages() { sed 's/#.*//; /^ *$/d' "$REPO/tests/lab/root-packages.txt"; }

make_root() {
    local dir=$LAB/root
    rm -rf "$dir" "$LAB/root.tar"
    mkdir -p "$LAB"
    sources_entry deb trixie | mmdebstrap --variant=minbase --include="$(root_packages | paste -sd,)" \
        --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
        --dpkgopt=path-exclude='/usr/share/man/*' --dpkgopt=path-exclude='/usr/share/doc/*' \
        --dpkgopt=path-exclude='/usr/share/locale/*' --format=directory trixie "$dir" -
    # Our programs are built on this machine, and the root's Debian has another libfmt.
    cp -L "$(library_file libfmt)" "$dir/usr/lib/x86_64-linux-gnu/"
    mkdir -p "$dir/vramlink" "$dir/out" "$dir/usr/lib/modules"
    note "QEMU $(chroot_version "$dir" qemu-system-x86), $(du -sh "$dir" | cut -f1)"
}

# library_file NAME: this machine's NAME.so.N, as the loader finds it
library_file() {
    ldconfig -p | awk -v name="$1" 'index($1, name ".so.") == 1 && !found++ { print $NF }'
}

chroot_version() { dpkg-query --admindir="$1/var/lib/dpkg" -W -f '${Version}' "$2"; }

pack_root() {
    mkfs.erofs -zlz4 -T0 "$LAB/root.erofs.new" "$LAB/root"
    mv "$LAB/root.erofs.new" "$LAB/root.erofs"
    note "$(du -sh "$LAB/root.erofs" | cut -f1)"
}

ensure_packaged_kernel() { # ensure_packaged_kernel NAME
    local key=recipe-$KERNEL_RECIPE name=kernel-$1
    fresh "$LAB/$name.stamp" "$key" "$LAB/$name/version" "$LAB/$name.erofs" && return 0
    step "$name" "fetched the kernel of $(kernel_suite "$1")" fetch_kernel "$1"
    step "$name-pack" "packed its modules" pack_modules "$1"
    stamp "$LAB/$name.stamp" "$key"
}

ensure_kernel() { # ensure_kernel NAME
    local key
    case $1 in
    debug) ensure_debug_kernel ;;
    *) ensure_packaged_kernel "$1" ;;
    esac
    key=$(cat "$REPO/tests/lab/mkinitramfs" "$REPO/tests/lab/l1/initramfs-init" "$REPO"/tests/lab/labkit/*.py \
        "$LAB/kernel-$1/version" | digest)
    if ! fresh "$LAB/boot-$1.stamp" "$key" "$LAB/boot-$1.cpio"; then
        step "boot-$1" "made the lab's initramfs" make_boot_initramfs "$1"
        stamp "$LAB/boot-$1.stamp" "$key"
    fi
}

ensure_root() {
    local key
    key=recipe-$ROOT_RECIPE-$({ root_packages; library_file libfmt; } | digest)
    fresh "$LAB/root.stamp" "$key" "$LAB/root.erofs" "$LAB/root/usr/bin" && return 0
    step root "made the root of the host in a box: Debian trixie" make_root
    step root-pack "packed it" pack_root
    stamp "$LAB/root.stamp" "$key"
}

ensure_lab() { # ensure_lab [NAME]
    ensure_kernel "${1:-current}"
    ensure_root
}
