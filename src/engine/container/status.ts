/** A container's state in words, as `docker ps` shows it. */
import { parseTime } from "#lib/time.ts";
import type { StateRecord } from "./record.ts";

/** `Up 3 minutes`, `Exited (0) 2 hours ago`, `Created`, … `at` is in nanoseconds since the epoch. */
export function describeState(state: StateRecord, at: bigint): string {
  const since = (time: string) => humanDuration(Number((at - (parseTime(time) ?? at)) / 1_000_000_000n));
  switch (state.status) {
    case "running":
      return `Up ${since(state.startedAt)}${healthWords(state)}`;
    case "paused":
      return `Up ${since(state.startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case "exited":
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    default:
      return "Created";
  }
}

function healthWords({ health }: StateRecord): string {
  if (health === undefined) return "";
  return health.Status === "starting" ? " (health: starting)" : ` (${health.Status})`;
}

/** Docker's rough words for a number of seconds. */
export function humanDuration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(seconds / 3600);
  if (seconds < 1) return "Less than a second";
  if (seconds < 2) return "1 second";
  if (seconds < 60) return `${Math.floor(seconds)} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}
