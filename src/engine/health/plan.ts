/** What a container's HEALTHCHECK asks for, with Docker's defaults filled in. */
import type { ContainerConfig } from "#api/types/container-config.ts";

/** Times in milliseconds. */
export interface HealthPlan {
  /** Program and arguments; empty where the check names none. */
  command: readonly string[];
  /** From the end of one probe to the start of the next. */
  interval: number;
  /** How long a probe may run. */
  timeout: number;
  /** After the container's start: failures of this time do not count until the first success. */
  startPeriod: number;
  /** Instead of `interval`, during the start period until the first success. */
  startInterval: number;
  /** Failures in a row that make a container unhealthy. */
  retries: number;
}

const NANOSECONDS = 1e6;

/** Undefined where nothing is to be checked: no test, NONE, or a kind of test that Docker does not know either. */
export function healthPlan({ Healthcheck, Shell }: ContainerConfig): HealthPlan | undefined {
  const [kind, ...command] = Healthcheck?.Test ?? [];
  if (kind !== "CMD" && kind !== "CMD-SHELL") return undefined;
  const { Interval, Timeout, StartPeriod, StartInterval, Retries } = Healthcheck ?? {};
  const shell = Shell?.length ? Shell : ["/bin/sh", "-c"];
  return {
    command: kind === "CMD-SHELL" && command.length > 0 ? [...shell, ...command] : command,
    interval: (Interval || 30e9) / NANOSECONDS,
    timeout: (Timeout || 30e9) / NANOSECONDS,
    startPeriod: (StartPeriod ?? 0) / NANOSECONDS,
    startInterval: (StartInterval || 5e9) / NANOSECONDS,
    retries: Retries || 3,
  };
}
