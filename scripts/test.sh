#!/usr/bin/env bash
# Everything, on any machine: installs what is missing, then runs the static checks, the unit tests, and the
# integration tests against dist/berth. Ends with one line, "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

bash scripts/install-system.sh --test
install_packages
mkdir -p dist
build_if_changed
# Namespaces, mounts and nftables are root's.
[ "$(id -u)" = 0 ] || exec sudo -E env "PATH=$PATH" bash "$0"

set +e
static_checks
suite "unit tests" ./src
export BERTH_BIN=$PWD/dist/berth
suite "integration tests" --timeout 60000 ./tests
summary
