#!/usr/bin/env bash
# Everything, on any machine: installs what is missing, builds dist/berth, checks format, lint and types, and runs the
# unit tests and, against dist/berth, the integration tests. Ends with one line, "N passed, N failed".
# tests/unfinished holds tests of what does not work yet; they are not run.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

bash scripts/install-system.sh --test
install_packages
# Namespaces, mounts and nftables are root's.
[ "$(id -u)" = 0 ] || exec sudo -E env "PATH=$PATH" bash "$0"

set +e
static_checks
suite "unit tests" ./src ./bench
check build build_if_changed
BERTH_BIN=$PWD/dist/berth integration
summary
