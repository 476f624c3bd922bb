/** Processes of the host, told apart from later ones that got the same number. */
import { readFileSync } from "node:fs";
import { closeFd } from "./descriptor.ts";
import { checked, syscall } from "./libc.ts";
import { ESRCH, hasErrno } from "./syscall-error.ts";

interface Stat {
  /** One letter: R, S, D, Z, … (proc_pid_stat(5)). */
  state: string;
  startTime: number;
  group: number;
}

/** Clock ticks since boot at which the process was started; undefined where there is none (a zombie counts as none). */
export function startTime(pid: number): number | undefined {
  const stat = readStat(pid);
  return stat === undefined || stat.state === "Z" ? undefined : stat.startTime;
}

/** The id of its process group; undefined where there is no such process. */
export function processGroup(pid: number): number | undefined {
  return readStat(pid)?.group;
}

/** Whether the process `pid` that was started at `started` still runs. */
export function isAlive(pid: number, started: number): boolean {
  return pid > 0 && startTime(pid) === started;
}

/** Sends a signal to that very process; false where it is gone. */
export function signalProcess(pid: number, started: number, signal: number): boolean {
  const fd = syscall("pidfd_open", pid, 0);
  if (fd < 0) return false;
  try {
    // The descriptor holds on to one process: what is checked after opening stays true.
    if (!isAlive(pid, started)) return false;
    checked(`cannot signal process ${pid}`, `pid ${pid} signal ${signal}`, "pidfd_send_signal", fd, signal, null, 0);
    return true;
  } catch (error) {
    if (hasErrno(error, ESRCH)) return false;
    throw error;
  } finally {
    closeFd(fd);
  }
}

function readStat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The name in parentheses may hold anything, also spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", startTime: Number(fields[19]), group: Number(fields[2]) };
}
