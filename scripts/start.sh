#!/usr/bin/env bash
# From a fresh clone to a running daemon and a first container. Run again it changes nothing that is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

run=/run/berth
pidfile=$run/berth.pid
log=/var/log/berth.log
berth=$PWD/dist/berth

bash scripts/install-system.sh
install_packages
build_if_changed

# Puts `berth` on the PATH, unless something else has that name already.
link=/usr/local/bin/berth
if [ ! -e "$link" ] || [ -L "$link" ]; then
  [ "$(readlink "$link" 2>/dev/null)" = "$berth" ] || as_root ln -sfn "$berth" "$link"
fi

running_pid() {
  local pid
  pid=$(as_root cat "$pidfile" 2>/dev/null) || return 1
  [ -d "/proc/$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q 'berth.* daemon' && printf '%s' "$pid"
}

# Containers do not belong to the daemon: they run on while it is exchanged.
stop_daemon() {
  as_root kill -TERM "$1" 2>/dev/null || true
  for _ in $(seq 300); do
    [ -d "/proc/$1" ] || return 0
    sleep 0.1
  done
  die "the daemon (pid $1) did not stop within 30 s; see $log"
}

start_daemon() {
  as_root bash -c '
    berth=$1 run=$2 pidfile=$3 log=$4 stamp=$5
    mkdir -p -m 0711 "$run"
    # An unbounded log is a full disk one day.
    if [ "$(stat -c %s "$log" 2>/dev/null || echo 0)" -gt 52428800 ]; then mv -f "$log" "$log.1"; fi
    cd /
    setsid "$berth" daemon --pidfile "$pidfile" </dev/null >>"$log" 2>&1 &
    disown
    printf "%s\n" "$stamp" >"$run/build"
  ' start "$berth" "$run" "$pidfile" "$log" "$(cat dist/berth.stamp)"
  for _ in $(seq 150); do
    if as_root "$berth" version >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  as_root tail -n 20 "$log" >&2 || true
  die "the daemon does not answer within 15 s; the end of $log is above"
}

if pid=$(running_pid); then
  if [ "$(cat "$run/build" 2>/dev/null)" != "$(cat dist/berth.stamp)" ]; then
    say "exchanging the daemon (pid $pid) for the new build; containers run on"
    stop_daemon "$pid"
    start_daemon
  fi
else
  say "starting the daemon"
  start_daemon
fi

if ! as_root "$berth" image inspect busybox >/dev/null 2>&1; then
  say "getting busybox: from Docker Hub if it can be reached, else made from this system's package"
  as_root timeout 20 "$berth" pull -q busybox >/dev/null 2>&1 || as_root "$berth" image bootstrap busybox >&2
fi
as_root "$berth" run --rm busybox echo "Berth runs: this line was written inside a container."

sudo=
[ "$(id -u)" = 0 ] || sudo='sudo '
cat <<TEXT

The daemon listens on unix://$run/berth.sock (pid $(running_pid), log $log). Next:
  ${sudo}berth run -it --rm busybox sh              a shell in a container
  ${sudo}berth image bootstrap debian:bookworm      a Debian image, if Docker Hub is out of reach
  ${sudo}berth run -d -p 8080:80 IMAGE              publish a port
  ${sudo}docker -H unix://$run/berth.sock ps        the docker CLI works as well
  ${sudo}kill \$(${sudo}cat $pidfile)               stops the daemon; containers run on until you stop them
TEXT
