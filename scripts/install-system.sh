#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages that Berth runs on, where they are missing. `--test` adds what the tests
# use, `--vm` what runs them in a virtual machine.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

# "a|b": the same package under the names of different releases.
wanted=(crun conmon libnftables1 'libarchive13t64|libarchive13' ca-certificates tini)
# Docker's containerd.io brings a runc and excludes the distribution's.
if [ "${1:-}" = --test ]; then wanted+=(busybox-static e2fsprogs procps util-linux openssl zstd 'runc|containerd.io'); fi
if [ "${1:-}" = --vm ]; then wanted=(qemu-system-x86 mmdebstrap e2fsprogs debian-archive-keyring); fi

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
available() { [ -n "$(apt-cache madison "$1" 2>/dev/null)" ]; }

missing=()
for names in "${wanted[@]}"; do
  have=
  for name in ${names//|/ }; do
    if command -v dpkg-query >/dev/null && installed "$name"; then have=yes; fi
  done
  [ -n "$have" ] || missing+=("$names")
done
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null ||
  die "this is not a Debian or Ubuntu system: install the equivalents of ${missing[*]} yourself, then run this again"
say "installing ${missing[*]}"
[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
  die "installing packages needs root: run this as root, or first: apt-get install ${missing[*]%%|*}"

# A fresh image has no package lists; one that is old may name files that the mirror no longer has.
names=()
updated=
resolve() {
  names=()
  local choice name found
  for choice in "${missing[@]}"; do
    found=
    for name in ${choice//|/ }; do
      if [ -z "$found" ] && available "$name"; then found=$name; fi
    done
    [ -n "$found" ] || return 1
    names+=("$found")
  done
}
update() {
  updated=yes
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
}
install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${names[@]}" </dev/null >&2
}
resolve || { update && resolve; } || die "no package of this system provides one of: ${missing[*]}"
install || { [ -z "$updated" ] && update && resolve && install; } || die "apt-get could not install ${names[*]}"
