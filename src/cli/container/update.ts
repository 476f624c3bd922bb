/** `berth update`: changes limits and restart policy of containers. */
import type { ContainerUpdateBody, ContainerUpdateResponse, RestartPolicyName } from "#api/types/container.ts";
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";
import { ExitError } from "../errors.ts";
import { string } from "../kinds.ts";
import { parseRestartPolicy } from "./option-checks.ts";
import { resourceFlags } from "./options.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    ...resourceFlags,
    restart: string("Restart policy to apply when a container exits", {
      complete: ["always", "no", "on-failure", "unless-stopped"],
    }),
  },
  args: { min: 1 },
  complete: ["containers"],
  async run(session, { flags, args, changed }) {
    if (changed.size === 0) throw new ExitError(1, "you must provide one or more flags when using this command");
    const policy = flags.restart ? parseRestartPolicy(flags.restart) : { Name: "", MaximumRetryCount: 0 };
    const body: ContainerUpdateBody = {
      BlkioWeight: flags["blkio-weight"],
      CpuPeriod: flags["cpu-period"],
      CpuQuota: flags["cpu-quota"],
      CpuRealtimePeriod: flags["cpu-rt-period"],
      CpuRealtimeRuntime: flags["cpu-rt-runtime"],
      CpuShares: flags["cpu-shares"],
      CpusetCpus: flags["cpuset-cpus"],
      CpusetMems: flags["cpuset-mems"],
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
