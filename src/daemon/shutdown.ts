/** How much time the end of the daemon may take. */
import type { Configuration } from "./configuration.ts";

/** Added to what the slowest container may take to stop, as dockerd does. Seconds. */
const CLEANUP = 5;

export interface ShutdownTimes {
  /** Seconds for archives that are on their way in or out. Infinity is no limit. */
  readonly transfers: number;
  /** Seconds after which the daemon ends as it is; the next one mends what is half done. Infinity is no limit. */
  readonly all: number;
}

/** `slowestStop`: seconds that a running container may take to stop, Infinity where one is waited for without end. */
export function shutdownTimes(
  configuration: Pick<Configuration, "shutdown-timeout" | "stop-containers">,
  slowestStop: number,
): ShutdownTimes {
  const asked = configuration["shutdown-timeout"];
  const transfers = asked < 0 ? Number.POSITIVE_INFINITY : asked;
  const containers = configuration["stop-containers"] ? Math.max(transfers, slowestStop + CLEANUP) : 0;
  return { transfers, all: transfers + containers + CLEANUP };
}
