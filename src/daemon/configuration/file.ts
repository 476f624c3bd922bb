/** The daemon's configuration file: Docker's daemon.json, in which nothing that is not understood is passed over. */
import { readFileSync } from "node:fs";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { type SettingKey, settings } from "./table.ts";

/** Used where no `--config-file` names another and it exists. */
export const DEFAULT_FILE = "/etc/berth/daemon.json";

/** Keys of Docker's that have no counterpart, with what to do instead. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  "allow-direct-routing": "container addresses are routed as the host's firewall lets them",
  builder: "building images is not supported yet",
  "cdi-spec-dirs": "the files are those in /etc/cdi and /var/run/cdi",
  containerd: "there is no containerd",
  "containerd-namespace": "there is no containerd",
  "containerd-plugin-namespace": "there is no containerd",
  "cpu-rt-period": "real-time scheduling of containers is not supported",
  "cpu-rt-runtime": "real-time scheduling of containers is not supported",
  "default-gateway": "give the bridge the address that containers shall use, with bip",
  "default-gateway-v6": "give the bridge the address that containers shall use, with bip6",
  "default-network-opts": "give the options to docker network create",
  "firewall-backend": "nftables is the only one",
  "host-gateway-ip": "it is the address of the default bridge",
  "host-gateway-ips": "it is the address of the default bridge",
  "init-path": "the first static init program that is installed is used",
  "max-concurrent-uploads": "pushing images is not supported yet",
  "network-control-plane-mtu": "there is no swarm",
  "node-generic-resources": "there is no swarm",
  "oom-score-adjust": "set it in the daemon's systemd unit",
  "raw-logs": "the daemon writes JSON lines",
  "storage-opts": "overlay has no options here",
  "swarm-default-advertise-addr": "there is no swarm",
  "userland-proxy-path": "ports are published by the kernel alone",
};

/** `features`: what is off anyway may be said to be off. */
const FEATURES = "features";

/**
 * The settings of the file at `path`; undefined where the default file is meant (`path` undefined) and there is none.
 * Throws kind "invalid" with everything that is wrong in it.
 */
export function readSettingsFile(path: string | undefined): ReadonlyMap<SettingKey, unknown> {
  const file = path ?? DEFAULT_FILE;
  let json: string;
  try {
    json = readFileSync(file, "utf8");
  } catch (cause) {
    if (path === undefined && (cause as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw unusable(file, errorMessage(cause), cause);
  }
  // An empty file is a configuration that says nothing, as for dockerd.
  if (json.trim() === "") return new Map();
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw unusable(file, errorMessage(cause), cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw unusable(file, "it must be an object");
  return readSettings(file, value);
}

function readSettings(file: string, object: object): ReadonlyMap<SettingKey, unknown> {
  const values = new Map<SettingKey, unknown>();
  const problems: string[] = [];
  const unknown: string[] = [];
  for (const [key, value] of Object.entries(withoutGroups(object)) as [string, unknown][]) {
    if (key === FEATURES) problems.push(...featureProblems(value));
    else if (Object.hasOwn(UNSUPPORTED, key)) problems.push(`"${key}" is not supported: ${UNSUPPORTED[key]}`);
    else if (!Object.hasOwn(settings, key)) unknown.push(key);
    else {
      const parsed = settings[key as SettingKey].schema.safeParse(value);
      if (parsed.success) values.set(key as SettingKey, parsed.data);
      else problems.push(...parsed.error.issues.map(({ path, message }) => `${[key, ...path].join(".")}: ${message}`));
    }
  }
  if (unknown.length > 0) {
    problems.push(`the following directives don't match any configuration option: ${unknown.join(", ")}`);
  }
  if (problems.length > 0) throw unusable(file, problems.join("; "));
  return values;
}

/** `{"proxies": {"http-proxy": …}}` is how Docker spells `{"http-proxy": …}` in the file. */
function withoutGroups(object: object): object {
  if (!("proxies" in object) || typeof object.proxies !== "object" || object.proxies === null) return object;
  const { proxies, ...rest } = object;
  return { ...rest, ...proxies };
}

function featureProblems(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [`${FEATURES}: it must be an object`];
  return Object.entries(value).flatMap(([name, on]) =>
    on === false ? [] : [`${FEATURES}.${name} is not supported: it can only be false`],
  );
}

function unusable(file: string, why: string, cause?: unknown): EngineError {
  return new EngineError("invalid", `unable to configure the daemon with file ${file}: ${why}`, { cause });
}
