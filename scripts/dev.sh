#!/usr/bin/env bash
# A daemon from the sources in the foreground, with roots, socket and bridge of its own beside any other. Needs root.
# Talk to it with: berth -H unix:///run/berth-dev/berth.sock ...
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
[ "$(id -u)" = 0 ] || exec sudo -E env "PATH=$PATH" bash "$0" "$@"

exec bun src/main.ts daemon --data-root /var/tmp/berth-dev --exec-root /run/berth-dev \
  --host unix:///run/berth-dev/berth.sock --bridge berth-dev0 --bip 172.30.0.1/16 --log-level debug "$@"
