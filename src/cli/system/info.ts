/** `berth info`: the daemon and its host. */
import type { SystemInfo } from "#api/types/system.ts";
import { verb as define } from "../command.ts";
import { execute, objectFormat, parseFormat } from "../format.ts";
import { binarySize } from "../units.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: { format: objectFormat("f") },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    const info = await session.daemon.json<SystemInfo>("GET", "/info");
    if (flags.format) {
      session.out.line(execute(parseFormat(flags.format === "json" ? "{{json .}}" : flags.format, 64), info));
      return;
    }
    const values: Record<string, string | number> = {
      Containers: info.Containers,
      " Running": info.ContainersRunning,
      " Paused": info.ContainersPaused,
      " Stopped": info.ContainersStopped,
      Images: info.Images,
      "Server Version": info.ServerVersion,
      "Storage Driver": info.Driver,
      "Logging Driver": info.LoggingDriver,
      "Cgroup Driver": info.CgroupDriver,
      "Cgroup Version": info.CgroupVersion ?? "1",
      Runtimes: Object.keys(info.Runtimes).join(" "),
      "Default Runtime": info.DefaultRuntime,
      "Security Options": info.SecurityOptions.join(", "),
      "Kernel Version": info.KernelVersion,
      "Operating System": info.OperatingSystem,
      OSType: info.OSType,
      Architecture: info.Architecture,
      CPUs: info.NCPU,
      "Total Memory": binarySize(info.MemTotal),
      Name: info.Name,
      "Root Dir": info.DockerRootDir,
      "Live Restore Enabled": String(info.LiveRestoreEnabled),
    };
    session.out.write(
      `Server:\n${Object.entries(values)
        .map(([name, value]) => ` ${name}: ${value}\n`)
        .join("")}`,
    );
    for (const warning of info.Warnings ?? []) session.err.line(warning);
  },
});
