# Shared by the scripts beside it: finding bun, root rights, and adding up test results.
# Source it from a script whose working directory is the top of the clone.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this step needs root and there is no sudo: run it again as root ($*)"
  fi
}

# npm ci, unless node_modules already holds exactly what the lock file names.
install_packages() {
  local stamp=node_modules/.installed want
  want=$(sha256sum <package-lock.json)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
    say "installing npm packages"
    npm ci --ignore-scripts --no-fund --no-audit --loglevel=error >&2
    printf '%s\n' "$want" >"$stamp"
  fi
  # No install script runs: one of a test's dependencies would look for a compiler. Only bun's own is needed.
  if ! node_modules/.bin/bun --version >/dev/null 2>&1; then
    say "placing the bun program"
    node node_modules/bun/install.js >&2 || die "node_modules/bun/install.js could not place bun for $(uname -m)"
  fi
  PATH="$PWD/node_modules/.bin:$PATH"
  bun --version >/dev/null || die "bun does not run on this machine ($(uname -m))"
}

# What dist/berth is made from, as one hash.
source_hash() {
  find src package-lock.json package.json tsconfig.json scripts/build.ts -type f ! -name '*.test.ts' -print0 |
    sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# Builds dist/berth, unless it was built from these very sources.
build_if_changed() {
  local want
  want=$(source_hash)
  if [ -x dist/berth ] && [ "$(cat dist/berth.stamp 2>/dev/null)" = "$want" ]; then return; fi
  say "building dist/berth"
  bun run scripts/build.ts >&2 || return 1
  printf '%s\n' "$want" >dist/berth.stamp
}

passed=0
failed=0

# check NAME COMMAND...: one check, passed if the command succeeds. Its output shows only when it fails.
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1 </dev/null); then
    passed=$((passed + 1))
    say "$name: ok"
  else
    failed=$((failed + 1))
    printf '%s\n' "$output" >&2
    say "$name: FAILED"
  fi
}

static_checks() {
  check format bun fmt --check
  check lint oxlint --type-aware --deny-warnings
  check types tsc --noEmit -p .
}

# suite NAME ARGUMENT...: runs `bun test`, adds up its tests; one that could not even load is a failure.
suite() {
  local name=$1 report status=0 good bad
  shift
  report=$(mktemp)
  say "$name"
  # A busy machine is slow, not wrong; BERTH_TEST_PATIENCE says how much slower than usual this one is.
  bun test --timeout $((60000 * ${BERTH_TEST_PATIENCE:-1})) "$@" </dev/null 2>&1 | tee "$report" >&2 || status=$?
  good=$(sed -nE 's/^ *([0-9]+) pass$/\1/p' "$report" | tail -n 1)
  bad=$(sed -nE 's/^ *([0-9]+) (fail|errors?)$/\1/p' "$report" | awk '{n += $1} END {print n + 0}')
  rm -f "$report"
  [ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
  passed=$((passed + ${good:-0}))
  failed=$((failed + bad))
}

# integration [FILE...]: a process for each file, so that one that comes down takes no other with it.
integration() {
  local file
  [ $# -gt 0 ] || set -- tests/*.test.ts
  for file in "$@"; do suite "$file" "./${file#./}"; done
}

# The closing line of every test command, and its exit code.
summary() {
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}
