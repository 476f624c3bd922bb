/** Which namespaces a container gets of its own, which it shares, and which sysctls that lets it set. */
import { countFromZero, type IdMap } from "#linux/id-map.ts";
import type { SpecInput } from "./build.ts";
import type { HostFacts } from "./host.ts";
import type { IdMapping, LinuxSpec } from "./types.ts";
import { EngineError } from "#lib/errors.ts";

/** Sharing means either the host's (no entry) or another container's (an entry with a path). */
export function containerNamespaces({ hostConfig, namespaces }: SpecInput): LinuxSpec["namespaces"] {
  const list: LinuxSpec["namespaces"] = [{ type: "mount" }];
  if (namespaces.user !== undefined) list.push({ type: "user", path: namespaces.user.path });
  const { network } = namespaces;
  if (network === "new") list.push({ type: "network" });
  else if (network !== "host") list.push({ type: "network", path: network.path });
  if (hostConfig.UTSMode !== "host") list.push({ type: "uts" });
  if (hostConfig.PidMode !== "host") list.push(joined("pid", hostConfig.PidMode, namespaces.pid));
  if (hostConfig.IpcMode !== "host") list.push(joined("ipc", hostConfig.IpcMode, namespaces.ipc));
  if (hostConfig.CgroupnsMode === "private") list.push({ type: "cgroup" });
  return list;
}

function joined(type: "pid" | "ipc", mode: string, path: string | undefined): LinuxSpec["namespaces"][number] {
  if (path !== undefined) return { type, path };
  if (mode.startsWith("container:")) throw new EngineError("internal", `no path for the ${type} namespace of ${mode}`);
  return { type };
}

/** For runtimes that want to know the map of a namespace that they join (runc before 1.2). */
export function idMappings({ uids, gids }: IdMap): Pick<LinuxSpec, "uidMappings" | "gidMappings"> {
  const entries = (ranges: IdMap["uids"]): IdMapping[] =>
    ranges.map(({ inside, outside, size }) => ({ containerID: inside, hostID: outside, size }));
  return { uidMappings: entries(uids), gidMappings: entries(gids) };
}

const IPC_SYSCTLS = new Set(
  "msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced".split(" ").map((name) => `kernel.${name}`),
);

/**
 * Refuses what is not a container's to set: the runtime would write it in the namespace that it finds itself in, so
 * a sysctl without a namespace of the container's own would change the host. Throws kind "invalid".
 */
export function validateSysctls(
  sysctls: Readonly<Record<string, string>>,
  modes: { NetworkMode: string; IpcMode: string; UTSMode: string },
): void {
  for (const name of Object.keys(sysctls)) {
    if (!/^[\w-]+(\.[\w@-]+)+$/.test(name)) throw new EngineError("invalid", `sysctl '${name}' is not allowed`);
    const network = name.startsWith("net.");
    const ipc = IPC_SYSCTLS.has(name) || name.startsWith("fs.mqueue.");
    if (!network && !ipc) throw new EngineError("invalid", `sysctl '${name}' is not allowed`);
    if (network && modes.NetworkMode === "host") {
      throw new EngineError("invalid", `sysctl "${name}" not allowed in host network namespace`);
    }
    if (ipc && modes.IpcMode === "host") {
      throw new EngineError("invalid", `sysctl "${name}" is not allowed in the hosts ipc namespace`);
    }
  }
}

/** Docker's defaults for a network of the container's own, then what the user set. */
export function containerSysctls(
  { config, hostConfig, namespaces }: SpecInput,
  host: HostFacts,
): Record<string, string> {
  const sysctls: Record<string, string> = {};
  const groups = namespaces.user === undefined ? 2 ** 31 : countFromZero(namespaces.user.map.gids);
  const ownNetwork = namespaces.network !== "host" && !hostConfig.NetworkMode.startsWith("container:");
  // Ping without CAP_NET_RAW, ports below 1024 without CAP_NET_BIND_SERVICE.
  if (ownNetwork && host.pingGroupRange) sysctls["net.ipv4.ping_group_range"] = `0 ${groups - 1}`;
  if (ownNetwork && host.unprivilegedPortStart) sysctls["net.ipv4.ip_unprivileged_port_start"] = "0";
  if (config.Domainname !== "" && hostConfig.UTSMode !== "host") sysctls["kernel.domainname"] = config.Domainname;
  return Object.assign(sysctls, hostConfig.Sysctls);
}
