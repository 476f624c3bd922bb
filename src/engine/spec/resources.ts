/** A container's limits as the runtime spec says them. */
import { statSync } from "node:fs";
import type { Resources } from "#api/types/container-config.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import type { DeviceRule, ResourcesSpec } from "./types.ts";

type BlockIO = NonNullable<ResourcesSpec["blockIO"]>;

/** CFS period that `--cpus` is measured against, in microseconds. */
const NANO_CPU_PERIOD = 100_000;

/** No limit at all, as a container has it that asks for none. */
export const noLimits: Resources = {
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: "",
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  BlkioDeviceReadBps: null,
  BlkioDeviceWriteBps: null,
  BlkioDeviceReadIOps: null,
  BlkioDeviceWriteIOps: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: "",
  CpusetMems: "",
  Devices: null,
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: null,
  PidsLimit: null,
  Ulimits: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
};

/**
 * The resources of the spec; also what `update` hands to the runtime (with no device rules).
 * Expects values that `validateResources` let pass. Throws kind "invalid" for a block device that is not there.
 */
export function buildResources(asked: Resources, devices: DeviceRule[]): ResourcesSpec {
  const spec: ResourcesSpec = { devices };
  const memory = memoryLimits(asked);
  if (Object.keys(memory).length > 0) spec.memory = memory;
  const cpu = cpuLimits(asked);
  if (Object.keys(cpu).length > 0) spec.cpu = cpu;
  // Without a limit the group is unlimited from the start; crun before 1.9 fails to write -1.
  if (asked.PidsLimit !== null && asked.PidsLimit > 0) spec.pids = { limit: asked.PidsLimit };
  const blockIO = blockLimits(asked);
  if (Object.keys(blockIO).length > 0) spec.blockIO = blockIO;
  return spec;
}

function memoryLimits(asked: Resources): NonNullable<ResourcesSpec["memory"]> {
  return {
    ...(asked.Memory > 0 && { limit: asked.Memory }),
    ...(asked.MemoryReservation > 0 && { reservation: asked.MemoryReservation }),
    // -1 (unlimited) only means something beside a limit: without one the kernel's own default holds.
    ...((asked.MemorySwap > 0 || (asked.MemorySwap === -1 && asked.Memory > 0)) && { swap: asked.MemorySwap }),
    ...(asked.MemorySwappiness !== null && { swappiness: asked.MemorySwappiness }),
    ...(asked.OomKillDisable === true && { disableOOMKiller: true }),
    ...(asked.KernelMemory && { kernel: asked.KernelMemory }),
    ...(asked.KernelMemoryTCP && { kernelTCP: asked.KernelMemoryTCP }),
  };
}

function cpuLimits(asked: Resources): NonNullable<ResourcesSpec["cpu"]> {
  return {
    ...(asked.CpuShares !== 0 && { shares: asked.CpuShares }),
    ...(asked.NanoCpus > 0 && {
      period: NANO_CPU_PERIOD,
      quota: Math.floor((asked.NanoCpus * NANO_CPU_PERIOD) / 1e9),
    }),
    ...(asked.CpuPeriod !== 0 && { period: asked.CpuPeriod }),
    ...(asked.CpuQuota !== 0 && { quota: asked.CpuQuota }),
    ...(asked.CpuRealtimePeriod !== 0 && { realtimePeriod: asked.CpuRealtimePeriod }),
    ...(asked.CpuRealtimeRuntime !== 0 && { realtimeRuntime: asked.CpuRealtimeRuntime }),
    ...(asked.CpusetCpus !== "" && { cpus: asked.CpusetCpus }),
    ...(asked.CpusetMems !== "" && { mems: asked.CpusetMems }),
  };
}

function blockLimits(asked: Resources): BlockIO {
  const throttle = (list: Resources["BlkioDeviceReadBps"]): BlockIO["throttleReadBpsDevice"] & object =>
    (list ?? []).map(({ Path, Rate }) => ({ ...deviceOf(Path), rate: Rate }));
  return {
    ...(asked.BlkioWeight !== 0 && { weight: asked.BlkioWeight }),
    ...(asked.BlkioWeightDevice?.length && {
      weightDevice: asked.BlkioWeightDevice.map(({ Path, Weight }) => ({ ...deviceOf(Path), weight: Weight })),
    }),
    ...(asked.BlkioDeviceReadBps?.length && { throttleReadBpsDevice: throttle(asked.BlkioDeviceReadBps) }),
    ...(asked.BlkioDeviceWriteBps?.length && { throttleWriteBpsDevice: throttle(asked.BlkioDeviceWriteBps) }),
    ...(asked.BlkioDeviceReadIOps?.length && { throttleReadIOPSDevice: throttle(asked.BlkioDeviceReadIOps) }),
    ...(asked.BlkioDeviceWriteIOps?.length && { throttleWriteIOPSDevice: throttle(asked.BlkioDeviceWriteIOps) }),
  };
}

function deviceOf(path: string): { major: number; minor: number } {
  try {
    return splitDevice(statSync(path).rdev);
  } catch (cause) {
    throw new EngineError("invalid", `stat ${path}: ${errorMessage(cause)}`, { cause });
  }
}

/** The two halves of a dev_t, as stat(2) tells it. */
export function splitDevice(rdev: number): { major: number; minor: number } {
  return {
    major: (rdev >> 8) & 0xfff,
    minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00),
  };
}
