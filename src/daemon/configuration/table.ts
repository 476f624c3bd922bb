/** Every setting of the daemon, once: what flags, configuration file, help and reload know comes from here. */
import { z } from "zod";
import type { Ulimit } from "#api/types/container-config.ts";
import type { RuntimeProgram } from "#engine/runtime/runtimes.ts";
import { isPool } from "#engine/network/address-pools.ts";
import { canonicalAddress, formatPrefix, networkOf, parsePrefix } from "#lib/ip.ts";
import { choice, count, fixed, list, named, parsed, path, text, toggle } from "./setting.ts";

/** By the key in the configuration file, which is Docker's where it has one. */
export const settings = {
  debug: toggle("Log debug messages too", false, { flag: "debug", short: "D", live: true }),
  "log-level": choice(
    'debug, info, warn, error or fatal (default "info")',
    ["debug", "info", "warn", "error", "fatal"],
    "info",
    {
      flag: "log-level",
      short: "l",
      live: true,
    },
  ),
  "log-format": fixed("log-format", "json", "the daemon writes JSON lines"),

  hosts: list("Socket to listen on: unix://PATH, tcp://ADDRESS:PORT or fd://", { flag: "host", short: "H" }),
  group: parsed(
    'Group that may use the unix sockets (default "docker")',
    "docker",
    { flag: "group", short: "G" },
    String,
  ),
  tls: toggle("Use TLS on tcp sockets; implied by --tlsverify", false, { flag: "tls" }),
  tlsverify: toggle("Use TLS and let in only who has a certificate", false, { flag: "tlsverify" }),
  tlscacert: path('Whose certificates are let in (default "~/.docker/ca.pem")', "", { flag: "tlscacert" }),
  tlscert: path('Certificate of the daemon (default "~/.docker/cert.pem")', "", { flag: "tlscert" }),
  tlskey: path('Key of the certificate (default "~/.docker/key.pem")', "", { flag: "tlskey" }),
  "metrics-addr": text("Address and port to serve Prometheus metrics on", { flag: "metrics-addr" }),
  labels: list("Label of the daemon, as KEY=VALUE", { flag: "label", live: true }, checkLabel),

  "data-root": path('Folder of what must be kept (default "/var/lib/berth")', "/var/lib/berth", { flag: "data-root" }),
  "exec-root": path('Folder of what a reboot may take (default "/run/berth")', "/run/berth", { flag: "exec-root" }),
  pidfile: text("File to write the process id to", { flag: "pidfile", short: "p" }),
  "max-layer-size": parsed(
    "What one layer may unpack to, as 500m or 100g; 0 is no limit (default 64g)",
    64 * 1024 ** 3,
    { flag: "max-layer-size", label: "bytes" },
    (value) => bytes(value) || Number.MAX_SAFE_INTEGER,
  ),
  "storage-driver": fixed("storage-driver", "overlay2", "layers are stacked by overlay"),

  "start-timeout": count("When to give up a start that hangs in the runtime (default 120)", 120, 1, 2_000_000, {
    flag: "start-timeout",
    label: "seconds",
    live: true,
  }),
  "shutdown-timeout": count(
    "How long a stopping daemon waits for requests and containers (default 15)",
    15,
    -1,
    2_000_000,
    {
      flag: "shutdown-timeout",
      label: "seconds",
      live: true,
    },
  ),
  "live-restore": toggle("Containers run on when the daemon stops (default true)", true, {
    flag: "live-restore",
    live: true,
  }),
  "stop-containers": toggle("Stop the containers when the daemon stops: --live-restore=false", false, {
    flag: "stop-containers",
    live: true,
  }),

  "default-runtime": parsed(
    'OCI runtime of containers that choose none, a name or a path (default "crun")',
    "crun",
    { flag: "default-runtime", alias: "runtime", live: true },
    String,
  ),
  runtimes: named<RuntimeProgram>(
    "OCI runtime that containers can choose, as NAME=PATH",
    { flag: "add-runtime", live: true },
    z
      .strictObject({ path: z.string().min(1), runtimeArgs: z.array(z.string()).optional() })
      .transform((value): RuntimeProgram => ({ path: value.path, arguments: value.runtimeArgs ?? [] })),
    (_, program) => ({ path: program, arguments: [] }),
  ),
  "exec-opts": fixed("exec-opt", ["native.cgroupdriver=cgroupfs"], "cgroups are made without systemd"),

  "cgroup-parent": text("Parent cgroup of containers that name none", { flag: "cgroup-parent", live: true }),
  "default-cgroupns-mode": choice(
    "Cgroup namespace of containers that choose none: host or private",
    ["", "host", "private"],
    "",
    {
      flag: "default-cgroupns-mode",
      live: true,
    },
  ),
  "default-ipc-mode": choice(
    'IPC of containers that choose none (default "private")',
    ["private", "shareable"],
    "private",
    {
      flag: "default-ipc-mode",
      live: true,
    },
  ),
  "default-shm-size": parsed(
    "Size of /dev/shm of containers that choose none (default 64m)",
    64 * 1024 ** 2,
    { flag: "default-shm-size", label: "bytes", live: true },
    bytes,
  ),
  "log-driver": parsed(
    'Log driver of containers that name none: json-file, local or none (default "json-file")',
    "json-file",
    { flag: "log-driver", live: true },
    String,
  ),
  "log-opts": named<string>(
    "Log option of containers with that driver, as NAME=VALUE",
    { flag: "log-opt", live: true },
    z.string(),
    (_, value) => value,
  ),
  "default-ulimits": named<Ulimit>(
    "Ulimit of containers that set none, as NAME=SOFT[:HARD]",
    { flag: "default-ulimit", live: true },
    z.strictObject({ Name: z.string(), Soft: z.number().int(), Hard: z.number().int() }),
    ulimit,
  ),
  init: toggle("Put an init program in front of containers that do not choose", false, { flag: "init", live: true }),

  "seccomp-profile": parsed(
    'System call filter of containers that choose none: builtin, unconfined, or a JSON file (default "builtin")',
    "builtin",
    { flag: "seccomp-profile" },
    (value) => {
      if (["", "builtin", "unconfined"].includes(value) || value.startsWith("/")) return value || "builtin";
      throw new Error(`it must be builtin, unconfined or an absolute path: ${value}`);
    },
  ),
  "no-new-privileges": toggle("Let no container gain privileges, unless it asks for it", false, {
    flag: "no-new-privileges",
    live: true,
  }),
  "userns-remap": text("User namespaces for all containers: default, auto or USER[:GROUP]", { flag: "userns-remap" }),
  "userns-pool": text("Ids for --userns=auto: a user of /etc/subuid, or FIRST:COUNT", { flag: "userns-pool" }),

  bip: text("Address and prefix of the default bridge (10.5.0.1/16)", { flag: "bip" }),
  bip6: text("IPv6 address and prefix of the default bridge (fd00:5::1/64)", { flag: "bip6" }),
  bridge: parsed("Name of the default bridge's device", "", { flag: "bridge", short: "b" }, (value) => {
    if (value === "none") throw new Error("there is always a default bridge: run containers with --network none");
    return value;
  }),
  "fixed-cidr": parsed(
    "Part of the default bridge's subnet that addresses come from",
    "",
    { flag: "fixed-cidr" },
    cidr,
  ),
  "fixed-cidr-v6": parsed(
    "IPv6 subnet of the default bridge, or the part of it that addresses come from",
    "",
    { flag: "fixed-cidr-v6" },
    cidr,
  ),
  ipv6: toggle("Give the default bridge IPv6 too", false, { flag: "ipv6" }),
  icc: toggle("Containers on the default bridge reach each other (default true)", true, { flag: "icc" }),
  "ip-masq": toggle("Hide the default bridge's addresses behind the host's (default true)", true, { flag: "ip-masq" }),
  ip: parsed('Host address of ports published without one (default "0.0.0.0")', "", { flag: "ip" }, address),
  mtu: count("MTU of the default bridge; 0 is the kernel's", 0, 0, 65_535, { flag: "mtu" }),
  "default-address-pools": poolsSetting(),
  dns: list("DNS server of containers that name none", { flag: "dns" }),
  "dns-search": list("DNS search domain of containers that name none", { flag: "dns-search" }),
  "dns-opts": list("DNS option of containers that name none", { flag: "dns-opt" }),
  "ip-forward": fixed("ip-forward", true, "networks need it"),
  iptables: fixed("iptables", true, "published ports are nftables rules of their own table"),
  ip6tables: fixed("ip6tables", true, "published ports are nftables rules of their own table"),
  "userland-proxy": fixed("userland-proxy", false, "ports are published by the kernel alone"),

  "insecure-registries": list("Registry to be reached without TLS", { flag: "insecure-registry", live: true }),
  "registry-mirrors": list("Mirror of the Docker Hub to ask first", { flag: "registry-mirror", live: true }),
  "http-proxy": text("Proxy for registries that are reached without TLS", { flag: "http-proxy" }),
  "https-proxy": text("Proxy for registries that are reached over TLS", { flag: "https-proxy" }),
  "no-proxy": text("Hosts that are reached without a proxy, between commas", { flag: "no-proxy" }),
  "max-concurrent-downloads": count("Layers of one pull that come at a time (default 3)", 3, 1, 100, {
    flag: "max-concurrent-downloads",
    live: true,
  }),
  "max-download-attempts": count("How often a download is tried (default 5)", 5, 1, 100, {
    flag: "max-download-attempts",
    live: true,
  }),

  experimental: fixed("experimental", false, "nothing here is experimental"),
  "selinux-enabled": fixed("selinux-enabled", false, "SELinux labels are not supported"),
  "authorization-plugins": fixed("authorization-plugin", [], "there are no plugins"),
};

export type Settings = typeof settings;
export type SettingKey = keyof Settings;

/** Bytes in powers of 1024, as everywhere in Docker's options. */
function bytes(value: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(value) ?? [];
  if (number === undefined) throw new Error("invalid size");
  return Math.floor(Number(number) * 1024 ** " kmgt".indexOf(unit.toLowerCase() || " "));
}

function checkLabel(label: string): void {
  if (!/^[^=]+=/.test(label)) throw new Error(`bad attribute format: ${label}`);
}

function ulimit(Name: string, value: string): Ulimit {
  const [, soft, hard] = /^(-?\d+)(?::(-?\d+))?$/.exec(value) ?? [];
  if (soft === undefined) throw new Error(`invalid ulimit argument: ${Name}=${value}`);
  return { Name, Soft: Number(soft), Hard: Number(hard ?? soft) };
}

function address(value: string): string {
  const text = canonicalAddress(value);
  if (text === undefined) throw new Error(`${value} is not an ip address`);
  return text;
}

function cidr(value: string): string {
  const prefix = parsePrefix(value);
  if (prefix === undefined) throw new Error(`invalid CIDR address: ${value}`);
  return formatPrefix(networkOf(prefix));
}

export interface Pool {
  base: string;
  size: number;
}

/** A list of objects in the file; words `base=10.10.0.0/16,size=24` as a flag. */
function poolsSetting() {
  const what = "an address pool must be base=CIDR,size=N with N from the base's prefix to 30 (126 in IPv6)";
  return {
    flag: "default-address-pool",
    label: "pools",
    about: "Addresses of networks that name none, as base=10.10.0.0/16,size=24",
    initial: [] as Pool[],
    live: false,
    schema: z.array(z.strictObject({ base: z.string(), size: z.number() }).refine(isPool, what)),
    parse: (words: readonly string[]) =>
      words.map((word): Pool => {
        const fields = new Map(word.split(",").map((pair) => pair.split("=", 2) as [string, string]));
        const pool = { base: fields.get("base") ?? "", size: Number(fields.get("size") || Number.NaN) };
        if (!isPool(pool)) throw new Error(what);
        return pool;
      }),
  };
}
