# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What apt knows about this machine, and a private apt configuration for other suites.
#
# No mirror is named here: addresses and keys come from the machine's own bookworm entry, whatever
# form (deb822 or one line) it has. The private configuration keeps its lists and packages in the cache;
# the machine's own sources and lists are not touched by it.

APT_DIR=$CACHE/apt
DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
LISTS_MAX_AGE_DAYS=2

# bookworm_field FIELD: a field of the machine's index target for bookworm's main component
bookworm_field() {
    apt-get indextargets --format "\$(COMPONENT) \$(RELEASE) \$($1)" 'Created-By: Packages' 2>/dev/null |
        awk '$1 == "main" && $2 == "bookworm" { sub(/^[^ ]+ [^ ]+ /, ""); print; exit }'
}

# Index targets are listed only for lists that were downloaded once: a fresh container has none.
machine_lists() {
    [ -n "$(bookworm_field REPO_URI)" ] || as_root apt-get update
    [ -n "$(bookworm_field REPO_URI)" ] ||
        die "apt has no entry for Debian 12 (bookworm, main); vramlink's set-up knows Debian 12 only"
}

mirror_uri() {
    machine_lists >&2
    bookworm_field REPO_URI
}

# The key file that the machine's own bookworm entry names; Debian's keyring when it names none.
mirror_key() {
    local entry file line key
    entry=$(bookworm_field SOURCESENTRY)
    file=${entry%:*}
    line=${entry##*:}
    case $file in
    *.sources) key=$(awk -v RS= -v n="$line" 'NR == n' "$file" | awk '/^Signed-By:/ { print $2; exit }') ;;
    *) key=$(sed -n "${line}s/.*signed-by=\([^] ]*\).*/\1/p" "$file") ;;
    esac
    [ -e "$key" ] || key=$DEBIAN_KEYRING
    [ -e "$key" ] || die "no key to verify Debian's archive: $key is missing (package debian-archive-keyring)"
    printf '%s\n' "$key"
}

# sources_entry TYPES SUITES: a deb822 paragraph for the machine's mirror
sources_entry() {
    printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' \
        "$1" "$(mirror_uri)" "$2" "$(mirror_key)"
}

# private_conf NAME SUITES: writes the configuration NAME and prints its path
private_conf() {
    local dir=$APT_DIR/$1
    mkdir -p "$dir/lists/partial" "$dir/archives/partial"
    sources_entry 'deb deb-src' "$2" >"$dir/$1.sources"
    : >"$dir/status"
    cat >"$dir/apt.conf" <<CONF
Dir::Etc::sourcelist "$dir/$1.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::Cache "$dir";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Retries "3";
APT::Sandbox::User "root";
CONF
    printf '%s\n' "$dir/apt.conf"
}

# private_update NAME SUITES: the configuration with lists at most LISTS_MAX_AGE_DAYS old
private_update() {
    local conf=$APT_DIR/$1/apt.conf
    if [ -z "$(find "$APT_DIR/$1/updated" -mtime -$LISTS_MAX_AGE_DAYS 2>/dev/null)" ]; then
        conf=$(private_conf "$1" "$2")
        APT_CONFIG=$conf apt-get update --error-on=any
        touch "$APT_DIR/$1/updated"
    fi
}

in_trixie() { APT_CONFIG=$APT_DIR/trixie/apt.conf "$@"; }
in_bookworm() { APT_CONFIG=$APT_DIR/bookworm/apt.conf "$@"; }
