/** What the runtime spec has to know about this host, read once when the daemon starts. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism, release } from "node:os";
import { appArmorEnabled } from "./apparmor.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { hasTimeNamespaces } from "#engine/runtime/time-namespace.ts";
import { findInit } from "./init-program.ts";
import { SeccompProfiles } from "./seccomp-profiles.ts";

export interface CgroupFacts {
  mode: "v1" | "v2" | "hybrid";
  controllers: Iterable<string>;
}

/** Which limits this kernel can keep; the others are dropped with a warning, as Docker does. */
export interface LimitSupport {
  memory: boolean;
  swap: boolean;
  swappiness: boolean;
  reservation: boolean;
  kernelMemory: boolean;
  oomKillDisable: boolean;
  pids: boolean;
  cpuShares: boolean;
  cpuQuota: boolean;
  /** Lists such as `0-3`; undefined without the cpuset controller. */
  cpuset: { cpus: string; mems: string } | undefined;
  blkioWeight: boolean;
  blkioWeightDevice: boolean;
  blkioThrottle: boolean;
}

export interface HostFacts {
  /** Node's name for the architecture: "x64", "arm64". */
  arch: string;
  kernel: { major: number; minor: number };
  /** CPUs that the daemon may use: the N of `--cpus`. */
  cpus: number;
  /** Kernel order; what the daemon holds itself. It never grants another one. */
  capabilities: readonly string[];
  apparmor: boolean;
  timeNamespaces: boolean;
  /** undefined where the kernel has no seccomp filters. */
  seccomp: SeccompProfiles | undefined;
  /** Profile of containers that choose none, as JSON, or "unconfined"; the built-in one where it is absent. */
  seccompProfile?: string;
  cgroup: { mode: "v1" | "v2" | "hybrid"; controllers: ReadonlySet<string> };
  limits: LimitSupport;
  /** Whether the kernel has them: the runtime refuses a container with an unknown sysctl. */
  pingGroupRange: boolean;
  unprivilegedPortStart: boolean;
  /** Hard limits of the daemon's own process by `RLIMIT_…`; Infinity is RLIM_INFINITY. */
  rlimits: ReadonlyMap<string, number>;
  /** The daemon's own adjustment, which a container cannot go below without CAP_SYS_RESOURCE. */
  oomScoreAdj: number;
  /** Masked in every container beside the fixed list. */
  thermalThrottle: readonly string[];
  /** Path of the `--init` program, undefined where none is installed. */
  init: string | undefined;
}

/** Reads /proc and /sys; a few file reads, no child process. */
export function readHostFacts(cgroup: CgroupFacts): HostFacts {
  const status = readFileSync("/proc/self/status", "utf8");
  const mask = (field: string): bigint =>
    BigInt(`0x${new RegExp(`^${field}:\\s*(\\w+)`, "m").exec(status)?.[1] ?? "0"}`);
  const [major = 0, minor = 0] = release().split(/[.-]/).map(Number);
  const kernel = { major, minor };
  const controllers = new Set(cgroup.controllers);
  return {
    arch: process.arch,
    kernel,
    cpus: availableParallelism(),
    capabilities: capabilitiesOf(mask("CapEff") & mask("CapBnd")),
    apparmor: appArmorEnabled(),
    timeNamespaces: hasTimeNamespaces(),
    seccomp: /^Seccomp:/m.test(status) ? new SeccompProfiles({ arch: process.arch, kernel }) : undefined,
    cgroup: { mode: cgroup.mode, controllers },
    limits: readLimitSupport(cgroup.mode, controllers),
    pingGroupRange: existsSync("/proc/sys/net/ipv4/ping_group_range"),
    unprivilegedPortStart: existsSync("/proc/sys/net/ipv4/ip_unprivileged_port_start"),
    rlimits: readHardLimits(readFileSync("/proc/self/limits", "utf8")),
    oomScoreAdj: Number(readFileSync("/proc/self/oom_score_adj", "utf8")),
    thermalThrottle: readThermalThrottle(),
    init: findInit(),
  };
}

function readLimitSupport(mode: CgroupFacts["mode"], controllers: ReadonlySet<string>): LimitSupport {
  const root = "/sys/fs/cgroup";
  if (mode === "v2") {
    const has = (controller: string): boolean => controllers.has(controller);
    // The root group has no limit files of its own; any group below it shows what the kernel offers.
    const anyGroup = readdirSync(root, { withFileTypes: true }).find((entry) => entry.isDirectory())?.name ?? "";
    const offers = (file: string): boolean => existsSync(`${root}/${anyGroup}/${file}`);
    const weight = has("io") && (offers("io.weight") || offers("io.bfq.weight"));
    return {
      memory: has("memory"),
      swap: has("memory") && offers("memory.swap.max"),
      swappiness: false,
      reservation: has("memory"),
      kernelMemory: false,
      oomKillDisable: false,
      pids: has("pids"),
      cpuShares: has("cpu"),
      cpuQuota: has("cpu"),
      cpuset: has("cpuset")
        ? { cpus: readList(`${root}/cpuset.cpus.effective`), mems: readList(`${root}/cpuset.mems.effective`) }
        : undefined,
      blkioWeight: weight,
      blkioWeightDevice: weight,
      blkioThrottle: has("io") && offers("io.max"),
    };
  }
  const has = (file: string): boolean => existsSync(`${root}/${file}`);
  return {
    memory: has("memory/memory.limit_in_bytes"),
    swap: has("memory/memory.memsw.limit_in_bytes"),
    swappiness: has("memory/memory.swappiness"),
    reservation: has("memory/memory.soft_limit_in_bytes"),
    kernelMemory: has("memory/memory.kmem.limit_in_bytes"),
    oomKillDisable: has("memory/memory.oom_control"),
    pids: controllers.has("pids"),
    cpuShares: has("cpu/cpu.shares"),
    cpuQuota: has("cpu/cpu.cfs_quota_us"),
    cpuset: has("cpuset/cpuset.cpus")
      ? { cpus: readList(`${root}/cpuset/cpuset.cpus`), mems: readList(`${root}/cpuset/cpuset.mems`) }
      : undefined,
    blkioWeight: has("blkio/blkio.weight") || has("blkio/blkio.bfq.weight"),
    blkioWeightDevice: has("blkio/blkio.weight_device") || has("blkio/blkio.bfq.weight_device"),
    blkioThrottle: has("blkio/blkio.throttle.read_bps_device"),
  };
}

function readList(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "";
}

/** Rows of /proc/<pid>/limits that `--ulimit` can name. */
const LIMIT_ROWS: Readonly<Record<string, string>> = {
  "Max cpu time": "RLIMIT_CPU",
  "Max file size": "RLIMIT_FSIZE",
  "Max data size": "RLIMIT_DATA",
  "Max stack size": "RLIMIT_STACK",
  "Max core file size": "RLIMIT_CORE",
  "Max resident set": "RLIMIT_RSS",
  "Max processes": "RLIMIT_NPROC",
  "Max open files": "RLIMIT_NOFILE",
  "Max locked memory": "RLIMIT_MEMLOCK",
  "Max address space": "RLIMIT_AS",
  "Max file locks": "RLIMIT_LOCKS",
  "Max pending signals": "RLIMIT_SIGPENDING",
  "Max msgqueue size": "RLIMIT_MSGQUEUE",
  "Max nice priority": "RLIMIT_NICE",
  "Max realtime priority": "RLIMIT_RTPRIO",
  "Max realtime timeout": "RLIMIT_RTTIME",
};

function readHardLimits(text: string): Map<string, number> {
  const limits = new Map<string, number>();
  for (const [, row = "", hard] of text.matchAll(/^(Max [a-z ]+?) {2,}\S+ +(\S+)/gm)) {
    const name = LIMIT_ROWS[row];
    if (name !== undefined) limits.set(name, hard === "unlimited" ? Infinity : Number(hard));
  }
  return limits;
}

/** These let a container see how hot each CPU runs: a side channel, and Docker hides them too. */
function readThermalThrottle(): string[] {
  const root = "/sys/devices/system/cpu";
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => `${root}/${name}/thermal_throttle`)
    .filter((path) => existsSync(path));
}
