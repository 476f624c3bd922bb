#!/usr/bin/env bash
# The integration tests in a virtual machine of another distribution: its kernel with pure cgroup v2, its systemd as the
# first process, its crun, conmon and libraries, AppArmor on, and dist/berth as it is built here. Needs root to make
# the file systems. See scripts/vm/main.ts for the arguments.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

bash scripts/install-system.sh --vm
install_packages
build_if_changed
[ "$(id -u)" = 0 ] || exec sudo -E env "PATH=$PATH" bash "$0" "$@"

# Two versions of the package, to upgrade from one to the other.
for version in 0.0.1 0.0.2; do
  bun scripts/package/package.ts --version "$version" --output dist/test-packages >&2
done

exec bun scripts/vm/main.ts "$@"
