#!/usr/bin/env bash
# The integration tests: each drives a real daemon with roots, socket and bridge of its own. Needs root.
# BERTH_BIN names an executable to test instead of the sources; arguments name test files.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
PATH="$PWD/node_modules/.bin:$PATH"
[ "$(id -u)" = 0 ] || exec sudo -E env "PATH=$PATH" bash "$0" "$@"

integration "$@"
summary
