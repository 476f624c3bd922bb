/** Turns the options of `run` and `create` into the body of `POST /containers/create`, as Docker's client does. */
import { readFileSync } from "node:fs";
import type {
  ContainerCreateBody,
  HealthConfig,
  RestartPolicyName,
  StringMap,
  StringSet,
} from "#api/types/container-config.ts";
import { quote } from "../go.ts";
import type { Parsed, Values } from "../flags.ts";
import { isCdiName, parseDevice } from "./device-spec.ts";
import { parseVolume } from "./mount-spec.ts";
import { isMac, networkingConfig, type PlainOptions } from "./network-spec.ts";
import { openError, parseRestartPolicy, readKeyValues } from "./option-checks.ts";
import type { containerFlags } from "./options.ts";
import { parseExpose, parsePublish } from "./port-spec.ts";

type Options = Values<typeof containerFlags>;

/** Throws an Error with Docker's words for what contradicts itself or cannot be read. */
export function createBody(
  parsed: Pick<Parsed<typeof containerFlags>, "flags" | "changed">,
  image: string,
  command: readonly string[],
): ContainerCreateBody {
  const { flags, changed } = parsed;
  check(flags);
  const ports = parsePublish(flags.publish);
  const { binds, anonymous } = volumes(flags.volume);
  const attached = flags.attach.length === 0 ? ["stdout", "stderr"] : flags.attach;
  const attachStdin = flags.interactive || attached.includes("stdin");
  return {
    Hostname: flags.hostname,
    Domainname: flags.domainname,
    User: flags.user,
    AttachStdin: attachStdin,
    AttachStdout: attached.includes("stdout"),
    AttachStderr: attached.includes("stderr"),
    ExposedPorts: emptyObjects([...Object.keys(ports), ...parseExpose(flags.expose)]),
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    // Stdin of an attached container ends with the client that feeds it.
    StdinOnce: flags.interactive && attachStdin,
    Env: [...flags["env-file"].flatMap((path) => readKeyValues(path, (name) => process.env[name])), ...flags.env],
    Cmd: command.length > 0 ? [...command] : null,
    Image: image,
    Volumes: emptyObjects(anonymous),
    WorkingDir: flags.workdir,
    // An empty --entrypoint resets the image's.
    Entrypoint: flags.entrypoint !== "" || changed.has("entrypoint") ? [flags.entrypoint] : null,
    Labels: toMap([...flags["label-file"].flatMap((path) => readKeyValues(path)), ...flags.label]),
    ...(flags["stop-signal"] ? { StopSignal: flags["stop-signal"] } : {}),
    ...(changed.has("stop-timeout") ? { StopTimeout: flags["stop-timeout"] } : {}),
    ...healthcheck(flags),
    HostConfig: hostConfig(parsed, binds, ports),
    NetworkingConfig: networkingConfig(networks(flags), plainNetworkOptions(flags)),
  };
}

function check(flags: Options): void {
  if (flags["mac-address"] && !isMac(flags["mac-address"]))
    throw new Error(`${flags["mac-address"]} is not a valid mac address`);
  const swappiness = flags["memory-swappiness"];
  if (swappiness < -1 || swappiness > 100)
    throw new Error(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  const namespaces = [
    ["pid", "PID", ["host"], true],
    ["uts", "UTS", ["host"], false],
    ["userns", "USER", ["host", "keep", "auto"], false],
    ["cgroupns", "CGROUP", ["host", "private"], false],
  ] as const;
  for (const [flag, name, modes, joins] of namespaces) {
    const mode = flags[flag];
    if (mode === "" || modes.some((known) => known === mode) || (joins && /^container:./.test(mode))) continue;
    if (flag === "userns" && /^auto:size=\d+$/.test(mode)) continue;
    throw new Error(`--${flag}: invalid ${name} mode`);
  }
  if (flags.rm && !["", "no"].includes(flags.restart))
    throw new Error("conflicting options: cannot specify both --restart and --rm");
}

function hostConfig(
  { flags, changed }: Pick<Parsed<typeof containerFlags>, "flags" | "changed">,
  binds: string[],
  ports: ReturnType<typeof parsePublish>,
): NonNullable<ContainerCreateBody["HostConfig"]> {
  const restart = parseRestartPolicy(flags.restart);
  const security = securityOptions(flags["security-opt"]);
  const unmasked = security.includes("systempaths=unconfined");
  return {
    ...resources(flags),
    Binds: binds.length > 0 ? binds : null,
    ContainerIDFile: flags.cidfile,
    LogConfig: { Type: flags["log-driver"], Config: logOptions(flags) },
    NetworkMode: networks(flags)[0]?.target ?? "default",
    PortBindings: ports,
    RestartPolicy: { ...restart, Name: restart.Name as RestartPolicyName },
    AutoRemove: flags.rm,
    VolumeDriver: flags["volume-driver"],
    VolumesFrom: orNull(flags["volumes-from"]),
    ...(Object.keys(flags.annotation).length > 0 ? { Annotations: { ...flags.annotation } } : {}),
    ...capabilities(flags["cap-add"], flags["cap-drop"]),
    CgroupnsMode: flags.cgroupns as "" | "private" | "host",
    Dns: [...flags.dns],
    DnsOptions: [...flags["dns-opt"], ...flags["dns-option"]],
    DnsSearch: [...flags["dns-search"]],
    ExtraHosts: orNull(flags["add-host"]),
    GroupAdd: orNull(flags["group-add"]),
    IpcMode: flags.ipc,
    Links: orNull(flags.link),
    OomScoreAdj: flags["oom-score-adj"],
    PidMode: flags.pid,
    Privileged: flags.privileged,
    PublishAllPorts: flags["publish-all"],
    ReadonlyRootfs: flags["read-only"],
    SecurityOpt: orNull(security.filter((option) => option !== "systempaths=unconfined")),
    ...(flags["storage-opt"].length > 0 ? { StorageOpt: storageOptions(flags["storage-opt"]) } : {}),
    ...(flags.tmpfs.length > 0 ? { Tmpfs: Object.fromEntries(flags.tmpfs.map((text) => cut(text, ":"))) } : {}),
    UTSMode: flags.uts,
    UsernsMode: flags.userns,
    ShmSize: flags["shm-size"],
    ...(Object.keys(flags.sysctl).length > 0 ? { Sysctls: { ...flags.sysctl } } : {}),
    ...(flags.runtime ? { Runtime: flags.runtime } : {}),
    Isolation: flags.isolation,
    ...(flags.mount.length > 0 ? { Mounts: [...flags.mount] } : {}),
    MaskedPaths: unmasked ? [] : null,
    ReadonlyPaths: unmasked ? [] : null,
    ...(changed.has("init") ? { Init: flags.init } : {}),
  };
}

function resources(flags: Options) {
  const devices = flags.device.filter((text) => !isCdiName(text)).map(parseDevice);
  const cdi = flags.device.filter(isCdiName);
  const requests = [
    ...flags.gpus,
    ...(cdi.length > 0 ? [{ Driver: "cdi", Count: 0, DeviceIDs: cdi, Capabilities: null, Options: null }] : []),
  ];
  // A later limit of the same name wins.
  const ulimits = [...new Map(flags.ulimit.map((limit) => [limit.Name, limit])).values()].toSorted((a, b) =>
    a.Name < b.Name ? -1 : 1,
  );
  return {
    CpuShares: flags["cpu-shares"],
    Memory: flags.memory,
    NanoCpus: flags.cpus,
    CgroupParent: flags["cgroup-parent"],
    BlkioWeight: flags["blkio-weight"],
    BlkioWeightDevice: [...flags["blkio-weight-device"]],
    BlkioDeviceReadBps: [...flags["device-read-bps"]],
    BlkioDeviceWriteBps: [...flags["device-write-bps"]],
    BlkioDeviceReadIOps: [...flags["device-read-iops"]],
    BlkioDeviceWriteIOps: [...flags["device-write-iops"]],
    CpuPeriod: flags["cpu-period"],
    CpuQuota: flags["cpu-quota"],
    CpuRealtimePeriod: flags["cpu-rt-period"],
    CpuRealtimeRuntime: flags["cpu-rt-runtime"],
    CpusetCpus: flags["cpuset-cpus"],
    CpusetMems: flags["cpuset-mems"],
    Devices: devices,
    DeviceCgroupRules: orNull(flags["device-cgroup-rule"]),
    DeviceRequests: requests.length > 0 ? requests : null,
    ...(flags["kernel-memory"] ? { KernelMemory: flags["kernel-memory"] } : {}),
    MemoryReservation: flags["memory-reservation"],
    MemorySwap: flags["memory-swap"],
    MemorySwappiness: flags["memory-swappiness"],
    OomKillDisable: flags["oom-kill-disable"],
    PidsLimit: flags["pids-limit"],
    Ulimits: ulimits,
    CpuCount: flags["cpu-count"],
    CpuPercent: flags["cpu-percent"],
    IOMaximumIOps: flags["io-maxiops"],
    IOMaximumBandwidth: flags["io-maxbandwidth"],
  };
}

function healthcheck(flags: Options): { Healthcheck?: HealthConfig } {
  const numbers = {
    Interval: flags["health-interval"],
    Timeout: flags["health-timeout"],
    StartPeriod: flags["health-start-period"],
    StartInterval: flags["health-start-interval"],
    Retries: flags["health-retries"],
  };
  const asked = flags["health-cmd"] !== "" || Object.values(numbers).some((number) => number !== 0);
  if (flags["no-healthcheck"]) {
    if (asked) throw new Error("--no-healthcheck conflicts with --health-* options");
    return { Healthcheck: { Test: ["NONE"] } };
  }
  if (!asked) return {};
  for (const name of [
    "health-interval",
    "health-timeout",
    "health-retries",
    "health-start-period",
    "health-start-interval",
  ] as const) {
    if (flags[name] < 0) throw new Error(`--${name} cannot be negative`);
  }
  const set = Object.fromEntries(Object.entries(numbers).filter(([, number]) => number !== 0));
  return { Healthcheck: { ...(flags["health-cmd"] ? { Test: ["CMD-SHELL", flags["health-cmd"]] } : {}), ...set } };
}

function volumes(specs: readonly string[]): { binds: string[]; anonymous: string[] } {
  const binds: string[] = [];
  const anonymous: string[] = [];
  for (const spec of new Set(specs)) {
    const volume = parseVolume(spec);
    if ("bind" in volume) binds.push(volume.bind);
    else anonymous.push(volume.anonymous);
  }
  return { binds, anonymous };
}

function networks(flags: Options) {
  return [...flags.net, ...flags.network];
}

function plainNetworkOptions(flags: Options): PlainOptions {
  const aliases = [...flags["net-alias"], ...flags["network-alias"]];
  return {
    ...(aliases.length > 0 ? { aliases } : {}),
    ...(flags.link.length > 0 ? { links: flags.link } : {}),
    ...(flags.ip ? { ip: flags.ip } : {}),
    ...(flags.ip6 ? { ip6: flags.ip6 } : {}),
    ...(flags["link-local-ip"].length > 0 ? { linkLocal: flags["link-local-ip"] } : {}),
    ...(flags["mac-address"] ? { mac: flags["mac-address"] } : {}),
  };
}

function logOptions(flags: Options): StringMap {
  if (flags["log-driver"] === "none" && flags["log-opt"].length > 0)
    throw new Error(`invalid logging opts for driver ${flags["log-driver"]}`);
  return toMap(flags["log-opt"]);
}

/** A seccomp profile is a file of ours, so its content goes to the daemon. */
function securityOptions(options: readonly string[]): string[] {
  return options.map((option) => {
    const separator = option.includes("=") || option === "no-new-privileges" ? "=" : ":";
    const [key, text] = cut(option, separator);
    if (text === "" && key !== "no-new-privileges") throw new Error(`Invalid --security-opt: ${quote(option)}`);
    if (key !== "seccomp" || text === "unconfined" || text === "builtin") return option;
    return `seccomp=${profile(text)}`;
  });
}

function profile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`opening seccomp profile (${path}) failed: ${openError(path, error)}`, { cause: error });
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw new Error(`compacting json for seccomp profile (${path}) failed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function storageOptions(options: readonly string[]): StringMap {
  if (options.some((option) => !option.includes("="))) throw new Error("invalid storage option");
  return toMap(options);
}

/** Normalised as `CAP_X`, sorted; what is added is not dropped, and ALL outweighs any other name. */
function capabilities(
  add: readonly string[],
  drop: readonly string[],
): { CapAdd: string[] | null; CapDrop: string[] | null } {
  const normal = (names: readonly string[]) => {
    const caps = new Set(
      names
        .map((name) => name.trim().toUpperCase())
        .map((name) => (name === "ALL" || name.startsWith("CAP_") ? name : `CAP_${name}`)),
    );
    return caps.has("ALL") ? ["ALL"] : [...caps].toSorted();
  };
  const added = normal(add);
  return { CapAdd: orNull(added), CapDrop: orNull(normal(drop).filter((name) => !added.includes(name))) };
}

function cut(text: string, separator: string): [key: string, rest: string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function toMap(pairs: readonly string[]): StringMap {
  return Object.fromEntries(pairs.map((pair) => cut(pair, "=")));
}

function emptyObjects(keys: readonly string[]): StringSet {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

function orNull(items: readonly string[]): string[] | null {
  return items.length > 0 ? [...items] : null;
}
