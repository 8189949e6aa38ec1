# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# ./dev setup: the machine's packages, QEMU's headers, the host in a box.

PACKAGES=$REPO/tests/lab/packages.txt
BACKPORTS_FILE=/etc/apt/sources.list.d/vramlink-backports.sources
HEADERS=$CACHE/headers

installed_version() {
    { dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null || true; } | sed -n 's/^installed //p'
}

# What to ask apt for: lines NAME or NAME/bookworm-backports
missing_packages() {
    local name suite least version
    while read -r name suite least; do
        case $name in '' | '#'*) continue ;; esac
        version=$(installed_version "$name")
        if [ "$suite" = BACKPORTS ]; then
            dpkg --compare-versions "${version:-0~}" ge "$least" || echo "$name/bookworm-backports"
        elif [ -z "$version" ]; then
            echo "$name"
        fi
    done <"$PACKAGES"
}

check_release() {
    local id version
    id=$(. /etc/os-release && echo "${ID:-}")
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
    [ "$id $version" = 'debian 12' ] ||
        die "set-up knows Debian 12 only, and this is '$id $version'; docs/building.md tells what is needed"
}

has_backports() {
    apt-get indextargets --format '$(RELEASE)' 'Created-By: Packages' 2>/dev/null | grep -qx bookworm-backports ||
        grep -qs bookworm-backports /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources
}

enable_backports() {
    sources_entry deb bookworm-backports | as_root tee "$BACKPORTS_FILE" >/dev/null
    note "$BACKPORTS_FILE"
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

install_packages() { # install_packages NAME[/SUITE]...
    local plain=() backports=() name
    for name; do
        case $name in
        */*) backports+=("$name") ;;
        *) plain+=("$name") ;;
        esac
    done
    as_root apt-get update
    # In this order: in one go apt would take libraries from backports too, and bookworm's -dev packages
    # would not go with them.
    [ ${#plain[@]} -eq 0 ] || apt_install "${plain[@]}"
    [ ${#backports[@]} -eq 0 ] || apt_install "${backports[@]}"
    note "$# packages"
}

ensure_packages() {
    local names missing
    names=$(missing_packages)
    [ -n "$names" ] || return 0
    mapfile -t missing <<<"$names"
    check_release
    case $names in
    */bookworm-backports*) has_backports || step backports 'enabled bookworm-backports' enable_backports ;;
    esac
    step packages 'installed what was missing from Debian 12' install_packages "${missing[@]}"
}

# fetch_qemu_source SUITE-CONF VERSION DIR: the upstream tarball of Debian's source package, unpacked.
# The tarball alone: Debian's patches are not needed for the headers, and some mirrors lack old .dsc files.
fetch_qemu_source() {
    local in_suite=$1 version=$2 dir=$3 line uri name hash
    line=$("$in_suite" apt-get source --print-uris --download-only "qemu=$version" |
        grep -E "qemu_[^ ]*\.orig\.tar\.[a-z0-9]+ " | head -n 1)
    [ -n "$line" ] || die "apt knows no source of qemu $version; unpack it yourself and set VRAMLINK_QEMU_SOURCE_$4"
    read -r uri name _ hash <<<"$line"
    mkdir -p "$CACHE/sources"
    [ -e "$CACHE/sources/$name" ] ||
        "$in_suite" /usr/lib/apt/apt-helper download-file "$(tr -d "'" <<<"$uri")" "$CACHE/sources/$name" "$hash"
    rm -rf "$dir"
    mkdir -p "$dir"
    tar -x -f "$CACHE/sources/$name" -C "$dir" --strip-components=1
    rm "$CACHE/sources/$name"
    note "$(cat "$dir/VERSION")"
}

fetch_host_source() {
    private_update bookworm 'bookworm bookworm-backports'
    fetch_qemu_source in_bookworm "$1" "$2" HOST
}

fetch_lab_source() {
    private_update trixie 'trixie trixie-updates trixie-backports'
    fetch_qemu_source in_trixie "$1" "$2" LAB
}

# ensure_headers host|lab BINARY DEBIAN_VERSION [OPTION...]: what the plugin is compiled against
ensure_headers() {
    local which=$1 binary=$2 version=$3 source key given=VRAMLINK_QEMU_SOURCE_${1^^}
    shift 3
    source=${!given:-$CACHE/qemu-$(tr -c '[:alnum:].\n' _ <<<"$version")} # configure allows no colon
    key=$({ sha256sum "$binary"; cat "$REPO/hw/qemu/prepare-headers"; echo "$source $*"; } | digest)
    fresh "$HEADERS/$which.stamp" "$key" "$HEADERS/$which/target.ini" "$source/VERSION" && return 0
    [ -e "$source/VERSION" ] ||
        step "source-$which" "fetched the source of QEMU $version" "fetch_${which}_source" "$version" "$source"
    rm -rf "${HEADERS:?}/$which"
    step "headers-$which" "made the headers of QEMU $version" \
        "$REPO/hw/qemu/prepare-headers" --qemu "$binary" --source "$source" --out "$HEADERS/$which" "$@"
    stamp "$HEADERS/$which.stamp" "$key"
}

# What this machine's side of the build needs: the packages, and the headers of its QEMU.
set_up_host() {
    ensure_packages
    ensure_headers host "$(command -v qemu-system-x86_64)" "$(installed_version qemu-system-x86)"
}

# The host in a box, and the headers of its QEMU.
set_up_lab() {
    local root=$LAB/root
    ensure_lab current
    ensure_headers lab "$root/usr/bin/qemu-system-x86_64" "$(chroot_version "$root" qemu-system-x86)" \
        --library-path "$root/usr/lib/x86_64-linux-gnu"
}

ensure_setup() {
    locked "$CACHE/lock" set_up_host
    locked "$CACHE/lock" set_up_lab
}
