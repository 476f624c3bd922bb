/** Refuses limits that cannot be kept, and drops with a warning those that this kernel does not know. */
import type { Resources } from "#api/types/container-config.ts";
import { EngineError } from "#lib/errors.ts";
import type { HostFacts, LimitSupport } from "./host.ts";

const MIN_MEMORY = 6 << 20;

/**
 * Checks and adjusts `asked` in place; `update` is set for a change of a running container. Returns warnings.
 * Throws kind "invalid" in Docker's words.
 */
export function validateResources(asked: Resources, host: HostFacts, update = false): string[] {
  return [
    ...checkMemory(asked, host.limits, update),
    ...checkPids(asked, host.limits),
    ...checkCpu(asked, host),
    ...checkCpuset(asked, host.limits),
    ...checkBlockIO(asked, host.limits),
  ];
}

function checkMemory(asked: Resources, limits: LimitSupport, update: boolean): string[] {
  const warnings: string[] = [];
  if (asked.MemorySwappiness === -1) asked.MemorySwappiness = null;
  check(asked.Memory === 0 || asked.Memory >= MIN_MEMORY, "Minimum memory limit allowed is 6MB");
  if (asked.Memory > 0 && !limits.memory) {
    warnings.push(lacks("memory limit capabilities", "Limitation"));
    asked.Memory = 0;
    asked.MemorySwap = -1;
  }
  if (asked.Memory > 0 && asked.MemorySwap !== -1 && !limits.swap) {
    warnings.push(
      "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.",
    );
    asked.MemorySwap = -1;
  }
  check(
    !(asked.Memory > 0 && asked.MemorySwap > 0 && asked.MemorySwap < asked.Memory),
    "Minimum memoryswap limit should be larger than memory limit, see usage",
  );
  check(
    !(asked.Memory === 0 && asked.MemorySwap > 0 && !update),
    "You should always set the Memory limit when using Memoryswap limit, see usage",
  );
  if (asked.MemorySwappiness !== null && !limits.swappiness) {
    warnings.push(lacks("memory swappiness capabilities", "Memory swappiness"));
    asked.MemorySwappiness = null;
  }
  const swappiness = asked.MemorySwappiness ?? 0;
  check(swappiness >= 0 && swappiness <= 100, `Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  if (asked.MemoryReservation > 0 && !limits.reservation) {
    warnings.push(lacks("memory soft limit capabilities", "Limitation"));
    asked.MemoryReservation = 0;
  }
  check(
    asked.MemoryReservation <= 0 || asked.MemoryReservation >= MIN_MEMORY,
    "Minimum memory reservation allowed is 6MB",
  );
  check(
    !(asked.Memory > 0 && asked.MemoryReservation > 0 && asked.Memory < asked.MemoryReservation),
    "Minimum memory limit can not be less than memory reservation limit, see usage",
  );
  if ((asked.KernelMemory ?? 0) > 0 && !limits.kernelMemory) {
    warnings.push(lacks("kernel memory limit capabilities", "Limitation"));
    asked.KernelMemory = 0;
  }
  check(!asked.KernelMemory || asked.KernelMemory >= MIN_MEMORY, "Minimum kernel memory limit allowed is 6MB");
  if (asked.OomKillDisable !== null && !limits.oomKillDisable) {
    if (asked.OomKillDisable) warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
    asked.OomKillDisable = null;
  }
  if (asked.OomKillDisable === true && asked.Memory === 0) {
    warnings.push(
      "OOM killer is disabled for the container, but no memory limit is set, " +
        "this can result in the system running out of resources.",
    );
  }
  return warnings;
}

function checkPids(asked: Resources, limits: LimitSupport): string[] {
  if (asked.PidsLimit === null || limits.pids) return [];
  const wanted = asked.PidsLimit > 0;
  asked.PidsLimit = null;
  return wanted ? [lacks("PIDs limit capabilities", "PIDs limit")] : [];
}

function checkCpu(asked: Resources, { limits, cpus }: HostFacts): string[] {
  const warnings: string[] = [];
  check(
    !(asked.NanoCpus > 0 && asked.CpuPeriod > 0),
    "Conflicting options: Nano CPUs and CPU Period cannot both be set",
  );
  check(!(asked.NanoCpus > 0 && asked.CpuQuota > 0), "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  check(
    asked.NanoCpus <= 0 || limits.cpuQuota,
    "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
  );
  check(
    asked.NanoCpus >= 0 && asked.NanoCpus <= cpus * 1e9,
    `range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
  );
  check(asked.CpuShares >= 0, `invalid CPU shares (${asked.CpuShares}): value must be a positive integer`);
  if (asked.CpuShares > 0 && !limits.cpuShares) {
    warnings.push("Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.");
    asked.CpuShares = 0;
  }
  if ((asked.CpuPeriod !== 0 || asked.CpuQuota !== 0) && !limits.cpuQuota) {
    warnings.push("Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.");
    asked.CpuPeriod = 0;
    asked.CpuQuota = 0;
  }
  check(
    asked.CpuPeriod === 0 || (asked.CpuPeriod >= 1000 && asked.CpuPeriod <= 1_000_000),
    "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
  );
  check(asked.CpuQuota <= 0 || asked.CpuQuota >= 1000, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
  if (asked.CpuPercent > 0) {
    warnings.push("linux does not support CPU percent. Percent discarded.");
    asked.CpuPercent = 0;
  }
  return warnings;
}

function checkCpuset(asked: Resources, { cpuset }: LimitSupport): string[] {
  if (asked.CpusetCpus === "" && asked.CpusetMems === "") return [];
  if (cpuset === undefined) {
    asked.CpusetCpus = "";
    asked.CpusetMems = "";
    return ["Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded."];
  }
  const cpus = parseList(asked.CpusetCpus, "cpuset cpus");
  check(
    cpus.isSubsetOf(parseList(cpuset.cpus, "cpuset cpus")),
    `Requested CPUs are not available - requested ${asked.CpusetCpus}, available: ${cpuset.cpus}`,
  );
  const mems = parseList(asked.CpusetMems, "cpuset mems");
  check(
    mems.isSubsetOf(parseList(cpuset.mems, "cpuset mems")),
    `Requested memory nodes are not available - requested ${asked.CpusetMems}, available: ${cpuset.mems}`,
  );
  return [];
}

/** `0-2,7` as the set of its numbers. The kernel has at most 8192 of either. */
function parseList(text: string, what: string): Set<number> {
  const numbers = new Set<number>();
  if (text === "") return numbers;
  for (const part of text.split(",")) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    check(first !== undefined && Number(first) <= Number(last), `Invalid value ${text} for ${what}`);
    for (let number = Number(first); number <= Number(last); number++) numbers.add(number);
  }
  return numbers;
}

function checkBlockIO(asked: Resources, limits: LimitSupport): string[] {
  const warnings: string[] = [];
  if (asked.BlkioWeight > 0 && !limits.blkioWeight) {
    warnings.push(lacks("Block I/O weight", "Weight"));
    asked.BlkioWeight = 0;
  }
  check(
    asked.BlkioWeight === 0 || (asked.BlkioWeight >= 10 && asked.BlkioWeight <= 1000),
    "Range of blkio weight is from 10 to 1000",
  );
  check(
    asked.IOMaximumBandwidth === 0 && asked.IOMaximumIOps === 0,
    "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps",
  );
  if (asked.BlkioWeightDevice?.length && !limits.blkioWeightDevice) {
    warnings.push(lacks("Block I/O weight_device", "Weight-device"));
    asked.BlkioWeightDevice = [];
  }
  const throttles = [
    ["BlkioDeviceReadBps", "BPS Block I/O read limit", "Block I/O BPS read limit"],
    ["BlkioDeviceWriteBps", "BPS Block I/O write limit", "Block I/O BPS write limit"],
    ["BlkioDeviceReadIOps", "IOPS Block read limit", "Block I/O IOPS read limit"],
    ["BlkioDeviceWriteIOps", "IOPS Block write limit", "Block I/O IOPS write limit"],
  ] as const;
  for (const [key, feature, what] of throttles) {
    if (!asked[key]?.length || limits.blkioThrottle) continue;
    warnings.push(lacks(feature, what));
    asked[key] = [];
  }
  return warnings;
}

function lacks(feature: string, what: string): string {
  return `Your kernel does not support ${feature} or the cgroup is not mounted. ${what} discarded.`;
}

function check(holds: boolean, message: string): void {
  if (!holds) throw new EngineError("invalid", message);
}
