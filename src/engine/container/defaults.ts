/** What the daemon's configuration says for containers that do not say it themselves. */
import type { HostConfig, Ulimit } from "#api/types/container-config.ts";

export interface ContainerDefaults {
  /** Empty: Berth's own. */
  cgroupParent: string;
  /** Empty: as the host's cgroups want it. */
  cgroupnsMode: "" | "host" | "private";
  ipcMode: "private" | "shareable";
  /** Bytes. */
  shmSize: number;
  ulimits: Readonly<Record<string, Ulimit>>;
  /** An init program in front of the container's own. */
  init: boolean;
  /** Driver of those that name none, and options of those that have this driver. */
  log: { Type: string; Config: Readonly<Record<string, string>> };
}

/** Fills in what `hostConfig` leaves open: it is written down with the container, so that a later change is not seen. */
export function applyDefaults(hostConfig: HostConfig, defaults: ContainerDefaults): void {
  hostConfig.CgroupParent ||= defaults.cgroupParent;
  if (hostConfig.CgroupnsMode === "" && !hostConfig.Privileged) hostConfig.CgroupnsMode = defaults.cgroupnsMode;
  hostConfig.IpcMode ||= defaults.ipcMode;
  hostConfig.ShmSize ||= defaults.shmSize;
  if (defaults.init) hostConfig.Init ??= true;
  const own = new Set(hostConfig.Ulimits?.map(({ Name }) => Name));
  const missing = Object.entries(defaults.ulimits).filter(([name]) => !own.has(name));
  if (missing.length > 0) hostConfig.Ulimits = [...(hostConfig.Ulimits ?? []), ...missing.map(([, limit]) => limit)];
}
