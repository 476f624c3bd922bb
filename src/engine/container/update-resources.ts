/** What a request to update a container asks of its limits, and what they are afterwards (moby's rules and words). */
import type { Resources, RestartPolicy } from "#api/types/container-config.ts";
import type { ContainerUpdateBody } from "#api/types/container.ts";
import type { ResourcesSpec } from "#engine/spec/types.ts";
import { EngineError } from "#lib/errors.ts";
import { buildResources, noLimits } from "#engine/spec/resources.ts";

/** The limits that can change while a container exists; zero (null for `PidsLimit`) leaves one as it is. */
const KEYS = [
  "BlkioWeight",
  "CpuShares",
  "NanoCpus",
  "CpuPeriod",
  "CpuQuota",
  "CpusetCpus",
  "CpusetMems",
  "Memory",
  "MemorySwap",
  "MemoryReservation",
  "KernelMemory",
  "CpuRealtimePeriod",
  "CpuRealtimeRuntime",
] as const;
/** Of the CPU bandwidth controller, in microseconds: what the kernel takes where nobody names one. */
const DEFAULT_CPU_PERIOD = 100_000;

/** The limits of a request, with nothing where it names none. */
export function askedResources(body: ContainerUpdateBody): Resources {
  const named = Object.entries(body).filter(([key, value]) => value !== null && (key in noLimits || key in KERNEL));
  return { ...noLimits, ...(Object.fromEntries(named) as Partial<Resources>) };
}

const KERNEL = { KernelMemory: 0, KernelMemoryTCP: 0 };

/** `current` with what is asked over it. Throws kind "conflict" where the two cannot go together. */
export function mergeResources<T extends Resources>(current: T, asked: Resources): T {
  const refuse = (condition: boolean, message: string): void => {
    if (condition) throw new EngineError("conflict", message);
  };
  const bound = (what: string, by: string) =>
    `Conflicting options: ${what} cannot be updated as ${by} has already been set`;
  refuse(asked.NanoCpus > 0 && current.CpuPeriod > 0, bound("Nano CPUs", "CPU Period"));
  refuse(asked.NanoCpus > 0 && current.CpuQuota > 0, bound("Nano CPUs", "CPU Quota"));
  refuse(asked.CpuPeriod > 0 && current.NanoCpus > 0, bound("CPU Period", "NanoCPUs"));
  refuse(asked.CpuQuota > 0 && current.NanoCpus > 0, bound("CPU Quota", "NanoCPUs"));
  refuse(
    asked.Memory > current.MemorySwap && asked.Memory !== 0 && asked.MemorySwap === 0,
    "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
  );
  const changed = Object.fromEntries(KEYS.filter((key) => asked[key]).map((key) => [key, asked[key]]));
  return { ...current, ...changed, ...(asked.PidsLimit !== null && { PidsLimit: asked.PidsLimit }) };
}

/** Whether a request changes any limit. */
export function asksForLimits(asked: Resources): boolean {
  return asked.PidsLimit !== null || KEYS.some((key) => asked[key]);
}

/** The policy afterwards. Throws kind "conflict" for a container that goes away when it exits. */
export function mergeRestartPolicy(
  current: { RestartPolicy: RestartPolicy; AutoRemove: boolean },
  asked: RestartPolicy | null | undefined,
): RestartPolicy {
  if (!asked?.Name) return current.RestartPolicy;
  if (current.AutoRemove && asked.Name !== "no") {
    throw new EngineError(
      "conflict",
      "Restart policy cannot be updated because AutoRemove is enabled for the container",
    );
  }
  return asked;
}

/**
 * What the runtime is told of the limits `merged`: every controller that `asked` touches, in full, since the kernel
 * keeps several of them in one file. Lifted limits of processes and CPU time are not among it.
 */
export function changedResources(merged: Resources, asked: Resources): ResourcesSpec {
  const { memory, cpu, pids, blockIO } = buildResources(
    {
      ...merged,
      BlkioWeightDevice: null,
      BlkioDeviceReadBps: null,
      BlkioDeviceWriteBps: null,
      BlkioDeviceReadIOps: null,
      BlkioDeviceWriteIOps: null,
    },
    [],
  );
  const touches = (prefix: string) => KEYS.some((key) => key.startsWith(prefix) && asked[key]);
  const spec: ResourcesSpec = { devices: [] };
  if (memory !== undefined && (touches("Memory") || asked.KernelMemory)) {
    const { kernel, ...rest } = memory;
    spec.memory = { ...rest, ...(asked.KernelMemory && kernel !== undefined && { kernel }) };
  }
  if (cpu !== undefined && (touches("Cpu") || touches("Nano"))) {
    const { quota = 0, period = DEFAULT_CPU_PERIOD, ...rest } = cpu;
    spec.cpu = { ...rest, ...(quota > 0 ? { quota, period } : cpu.period !== undefined && { period }) };
  }
  if (pids !== undefined && asked.PidsLimit !== null) spec.pids = pids;
  if (blockIO?.weight !== undefined && asked.BlkioWeight) spec.blockIO = { weight: blockIO.weight };
  return spec;
}
