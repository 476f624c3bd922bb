/** The monitor and the runtime of a container, within the time namespace that it has or is to get. */
import { monitorFiles, type MonitorPrograms } from "#engine/runtime/conmon.ts";
import { readPid } from "#engine/runtime/monitors.ts";
import type { Runtimes } from "#engine/runtime/runtimes.ts";
import { inNewTime, inTimeOf } from "#engine/runtime/time-namespace.ts";
import { parseSecurityOptions } from "#engine/spec/security-options.ts";
import type { Layout } from "#store/layout.ts";
import type { ContainerRecord } from "./record.ts";

/** For a run that begins. Throws "invalid" where the runtime is not configured any more. */
export function newPrograms(runtimes: Runtimes, { hostConfig }: ContainerRecord): MonitorPrograms {
  const programs = runtimes.get(hostConfig.Runtime ?? "");
  return hasPrivateTime(hostConfig.SecurityOpt) ? { ...programs, within: inNewTime() } : programs;
}

/** For a run there is, or what is left of one. Without a record, of a container that nobody knows. */
export function presentPrograms(
  runtimes: Runtimes,
  layout: Layout,
  record: ContainerRecord | undefined,
): MonitorPrograms {
  const programs = runtimes.of(record);
  if (record === undefined || !hasPrivateTime(record.hostConfig.SecurityOpt)) return programs;
  const pid = readPid(monitorFiles.pid(layout.bundle(record.id)));
  return pid === undefined ? programs : { ...programs, within: inTimeOf(pid) };
}

function hasPrivateTime(options: readonly string[] | null): boolean {
  return parseSecurityOptions(options ?? []).privateTime;
}
