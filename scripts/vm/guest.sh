#!/usr/bin/env bash
# Inside the virtual machine: says what runs there, then runs the tests that the file vm-tests names.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
export PATH="$PWD/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root
export BERTH_BIN=$PWD/dist/berth BERTH_TEST_PATIENCE=6
export BERTH_TEST_PACKAGES=$PWD/dist/test-packages

version() { dpkg-query -W -f '${Version}\n' "$@" 2>/dev/null | grep -m 1 .; }
fact() { printf 'fact %s %s\n' "$1" "$2"; }
fact kernel "$(uname -r)"
fact systemd "$(version systemd)"
fact cgroup "$([ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] && echo v2 || echo v1)"
fact apparmor "$([ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] && echo on || echo off)"
fact crun "$(version crun)"
fact conmon "$(version conmon)"
fact libnftables "$(version libnftables1)"
fact libarchive "$(version libarchive13t64 libarchive13)"

# An emulated processor is slow.
export BERTH_KILL_ROUNDS=5
mapfile -t files <vm-tests
integration "${files[@]}"
summary
