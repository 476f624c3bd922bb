/** Chooses how usage is read on this host. */
import type { CgroupHost } from "./cgroup.ts";
import type { GroupUsageReader } from "./cgroup-usage.ts";
import { V1Usage } from "./cgroup-usage-v1.ts";
import { V2Usage } from "./cgroup-usage-v2.ts";
import { listMounts } from "./mountinfo.ts";

/** The hierarchies are looked up once: they stay while containers run. */
export function groupUsageReader({ mode }: Pick<CgroupHost, "mode">): GroupUsageReader {
  const mounts = listMounts("/sys/fs/cgroup");
  if (mode === "v2") return new V2Usage(mounts.find(({ type }) => type === "cgroup2")?.mountPoint ?? "/sys/fs/cgroup");
  const folders = new Map<string, string>();
  for (const { type, superOptions, mountPoint } of mounts) {
    if (type !== "cgroup") continue;
    for (const option of superOptions) folders.set(option, mountPoint);
  }
  return new V1Usage(folders);
}
