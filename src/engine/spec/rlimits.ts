/** `--ulimit` as limits of the process, within what the daemon may grant. */
import type { Ulimit } from "#api/types/container-config.ts";
import { EngineError } from "#lib/errors.ts";
import type { HostFacts } from "./host.ts";
import { RLIM_INFINITY } from "./json.ts";
import type { Rlimit } from "./types.ts";

const NAMES = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack as".split(" "),
);

/** Throws kind "invalid" for an unknown name, and for a soft limit above the hard one. */
export function validateUlimits(ulimits: readonly Ulimit[]): void {
  for (const { Name, Soft, Hard } of ulimits) {
    if (!NAMES.has(Name.toLowerCase())) throw new EngineError("invalid", `invalid ulimit type: ${Name}`);
    if (Hard >= 0 && (Soft > Hard || Soft < 0)) {
      throw new EngineError("invalid", `ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`);
    }
  }
}

/** Without CAP_SYS_RESOURCE no limit can rise above the daemon's own hard one: such values are cut, with a warning. */
export function containerRlimits(
  ulimits: readonly Ulimit[],
  host: HostFacts,
): { rlimits: Rlimit[]; warnings: string[] } {
  const warnings: string[] = [];
  const mayRaise = host.capabilities.includes("CAP_SYS_RESOURCE");
  const rlimits = ulimits.map(({ Name, Soft, Hard }): Rlimit => {
    const type = `RLIMIT_${Name.toUpperCase()}`;
    const top = mayRaise ? Infinity : (host.rlimits.get(type) ?? Infinity);
    const [soft, hard] = [unlimited(Soft), unlimited(Hard)];
    if (hard > top) warnings.push(`ulimit ${Name} was cut to ${top}: the daemon lacks CAP_SYS_RESOURCE to raise it`);
    return { type, soft: finite(Math.min(soft, top)), hard: finite(Math.min(hard, top)) };
  });
  return { rlimits, warnings };
}

function unlimited(value: number): number {
  return value < 0 ? Infinity : value;
}

function finite(value: number): number {
  return value === Infinity ? RLIM_INFINITY : value;
}
