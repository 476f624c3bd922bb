#!/usr/bin/env bash
# The checks that need no daemon: format, lint, types, and the unit tests (the import order among them).
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
PATH="$PWD/node_modules/.bin:$PATH"

static_checks
suite "unit tests" ./src ./bench
summary
