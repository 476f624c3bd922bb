/** What the runtime spec has to know about this host, read once when the daemon starts. */
import { EngineError } from "#lib/errors.ts";

export interface CgroupFacts {
  mode: "v1" | "v2" | "hybrid";
  controllers: Iterable<string>;
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
  seccomp: boolean;
  cgroup: { mode: "v1" | "v2" | "hybrid"; controllers: ReadonlySet<string> };
  /** Whether the kernel has them: the runtime refuses a container with an unknown sysctl. */
  pingGroupRange: boolean;
  unprivilegedPortStart: boolean;
  /** Hard limits of the daemon's own process by `RLIMIT_…`; Infinity is RLIM_INFINITY. */
  rlimits: ReadonlyMap<string, number>;
  /** Masked in every container beside the fixed list. */
  thermalThrottle: readonly string[];
  /** Path of the `--init` program, undefined where none is installed. */
  init: string | undefined;
}

/** Reads /proc and /sys; a few file reads, no child process. */
export function readHostFacts(cgroup: CgroupFacts): HostFacts {
  throw new EngineError("not-implemented", `cannot read the facts of a ${cgroup.mode} host`);
}
