/** Ends a container's process: by its stop signal, in the end by SIGKILL. */
import { cgroupPath } from "#engine/spec/build.ts";
import { thaw } from "#linux/cgroup-group.ts";
import { LONGEST_TIMER } from "#lib/time.ts";
import { signalProcess } from "#linux/process.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext, saveState } from "./context.ts";
import { parseSignal } from "./signals.ts";

export const SIGKILL = 9;
/** In seconds. */
const DEFAULT_TIMEOUT = 10;

/** The container's own way to end; `timeout` in seconds. */
export function stopTerms({ record }: Container): { signal: number; timeout: number } {
  const { StopSignal, StopTimeout } = record.config;
  return { signal: parseSignal(StopSignal || "SIGTERM"), timeout: StopTimeout ?? DEFAULT_TIMEOUT };
}

/** A process that is gone already needs no signal: its exit is on the way. */
export function signalContainer(context: EngineContext, container: Container, signal: number): void {
  const { pid, pidStartTime } = container.state;
  signalProcess(pid, pidStartTime, signal);
  if (signal === SIGKILL) container.console.died();
  announce(context, container, "kill", { signal: String(signal) });
}

/** Frozen processes notice no signal, SIGKILL included. */
export function thawContainer(context: EngineContext, container: Container): void {
  if (container.state.status !== "paused") return;
  const { hostConfig, id } = container.record;
  thaw(cgroupPath(hostConfig.CgroupParent, id));
  container.state.status = "running";
  container.healthMonitor?.watch();
  saveState(context, container);
}

/**
 * Sends `signal`, and SIGKILL after `timeout` seconds (negative: never). Call it while `container.lock` is held and
 * the container runs; await the promise when it is not: it settles once the exit is booked.
 */
export function endContainer(
  context: EngineContext,
  container: Container,
  signal: number,
  timeout: number,
): { gone: Promise<unknown> } {
  const gone = container.waits.next("next-exit");
  thawContainer(context, container);
  signalContainer(context, container, signal);
  // Whoever says more than a timer can hold means "never".
  if (signal === SIGKILL || timeout < 0 || timeout * 1000 > LONGEST_TIMER) return { gone };
  const timer = setTimeout(() => signalContainer(context, container, SIGKILL), timeout * 1000);
  return { gone: gone.finally(() => clearTimeout(timer)) };
}
