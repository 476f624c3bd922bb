/** `berth update`: changes limits, restart policy and what containers are joined to. */
import type { RestartPolicyName } from "#api/types/container-config.ts";
import type { ContainerUpdateBody, ContainerUpdateResponse } from "#api/types/container.ts";
import type { SystemVersion } from "#api/types/system.ts";
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";
import { ExitError } from "../errors.ts";
import { string, value } from "../kinds.ts";
import type { Session } from "../session.ts";
import { parseBytes } from "#lib/bytes.ts";
import { changeFlags, changesOf } from "./change-flags.ts";
import { parseRestartPolicy } from "./option-checks.ts";
import { resourceFlags } from "./options.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    ...resourceFlags,
    ...changeFlags,
    "kernel-memory": value("bytes", "Kernel memory limit (deprecated)", 0, parseBytes, { hidden: true }),
    restart: string("Restart policy to apply when a container exits", {
      complete: ["always", "no", "on-failure", "unless-stopped"],
    }),
  },
  args: { min: 1 },
  complete: ["containers"],
  async run(session, { flags, args, changed }) {
    if (changed.size === 0) throw new ExitError(1, "you must provide one or more flags when using this command");
    const policy = flags.restart ? parseRestartPolicy(flags.restart) : { Name: "", MaximumRetryCount: 0 };
    const changes = changesOf(flags);
    if (changes !== undefined) await assertChanges(session);
    const body: ContainerUpdateBody = {
      ...(changes && { Changes: changes }),
      BlkioWeight: flags["blkio-weight"],
      CpuPeriod: flags["cpu-period"],
      CpuQuota: flags["cpu-quota"],
      CpuRealtimePeriod: flags["cpu-rt-period"],
      CpuRealtimeRuntime: flags["cpu-rt-runtime"],
      CpuShares: flags["cpu-shares"],
      CpusetCpus: flags["cpuset-cpus"],
      CpusetMems: flags["cpuset-mems"],
      ...(flags["kernel-memory"] ? { KernelMemory: flags["kernel-memory"] } : {}),
      Memory: flags.memory,
      MemoryReservation: flags["memory-reservation"],
      MemorySwap: flags["memory-swap"],
      NanoCpus: flags.cpus,
      ...(flags["pids-limit"] === 0 ? {} : { PidsLimit: flags["pids-limit"] }),
      RestartPolicy: { ...policy, Name: policy.Name as RestartPolicyName },
    };
    const warnings: string[] = [];
    await forEach(session, args, async (name) => {
      const { Warnings } = await session.daemon.json<ContainerUpdateResponse>(
        "POST",
        `/containers/${encodeURIComponent(name)}/update`,
        { body },
      );
      warnings.push(...(Warnings ?? []));
    });
    for (const warning of warnings) session.out.line(warning);
  },
});

/** Docker would pass over what it does not know, and say that all was well. */
async function assertChanges({ daemon }: Session): Promise<void> {
  const { Platform } = await daemon.json<Partial<SystemVersion>>("GET", "/version");
  if (Platform?.Name.startsWith("Berth")) return;
  throw new ExitError(1, "this daemon cannot change what a container is joined to: recreate the container");
}
