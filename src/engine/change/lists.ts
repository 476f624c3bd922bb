/** Labels, environment, extra hosts and DNS settings after a change. */
import { isIP } from "node:net";
import type { ContainerChanges, ListChange } from "#api/types/change.ts";
import type { ContainerRecord } from "#engine/container/record.ts";
import { parseExtraHosts } from "#engine/network/hosts.ts";
import { EngineError } from "#lib/errors.ts";

/** Removes first, so that a change of one value is both. Changes `next`. Throws kind "invalid". */
export function changeLists(next: ContainerRecord, changes: ContainerChanges): void {
  const { config, hostConfig } = next;
  if (changes.Labels) {
    const removed = new Set(changes.Labels.Remove);
    const kept = Object.entries(config.Labels).filter(([name]) => !removed.has(name));
    config.Labels = { ...Object.fromEntries(kept), ...changes.Labels.Add };
  }
  if (changes.Env) changeEnv(next, changes.Env);
  if (changes.ExtraHosts) {
    const { Add, Remove } = changes.ExtraHosts;
    parseExtraHosts(Add ?? [], "0.0.0.0");
    const removed = new Set(Remove);
    const kept = (hostConfig.ExtraHosts ?? []).filter((host) => !removed.has(host) && !removed.has(hostName(host)));
    hostConfig.ExtraHosts = orNull(withAll(kept, Add));
  }
  for (const server of changes.Dns?.Add ?? []) {
    if (isIP(server) === 0) throw new EngineError("invalid", `invalid IP address: ${server}`);
  }
  for (const key of ["Dns", "DnsSearch", "DnsOptions"] as const) {
    if (changes[key]) hostConfig[key] = changed(hostConfig[key], changes[key]);
  }
}

/** Whether the change shows in the container's hosts or resolv.conf. */
export function changesFiles({ ExtraHosts, Dns, DnsSearch, DnsOptions, Networks }: ContainerChanges): boolean {
  return [ExtraHosts, Dns, DnsSearch, DnsOptions, Networks].some(Boolean);
}

function changeEnv(next: ContainerRecord, { Add, Remove }: ListChange): void {
  for (const entry of Add ?? []) {
    if (!entry.includes("=", 1) || entry.startsWith("=") || entry.includes("\0")) {
      throw new EngineError("invalid", `invalid environment variable: ${JSON.stringify(entry).slice(1, -1)}`);
    }
  }
  const removed = new Set([...(Remove ?? []), ...(Add ?? []).map(variableName)]);
  const { config } = next;
  config.Env = orNull([...(config.Env ?? []).filter((entry) => !removed.has(variableName(entry))), ...(Add ?? [])]);
  const set = new Set((config.Env ?? []).map(variableName));
  const unset = [...new Set([...(next.unsetEnv ?? []), ...(Remove ?? [])])].filter((name) => !set.has(name));
  if (unset.length > 0 || next.unsetEnv !== undefined) next.unsetEnv = unset;
}

function changed(before: readonly string[] | null, { Add, Remove }: ListChange): string[] | null {
  const removed = new Set(Remove);
  return orNull(
    withAll(
      (before ?? []).filter((value) => !removed.has(value)),
      Add,
    ),
  );
}

function withAll(kept: readonly string[], added: readonly string[] | null | undefined): string[] {
  return [...new Set([...kept, ...(added ?? [])])];
}

function orNull(values: string[]): string[] | null {
  return values.length === 0 ? null : values;
}

function variableName(entry: string): string {
  return entry.split("=", 1)[0] ?? "";
}

function hostName(entry: string): string {
  return entry.split(":", 1)[0] ?? "";
}
