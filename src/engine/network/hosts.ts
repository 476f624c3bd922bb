/** Writes a container's /etc/hosts as Docker lays it out (hosts(5)). */
import { isIP } from "node:net";
import { EngineError } from "#lib/errors.ts";

const HEADER = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

export interface HostsInput {
  hostname: string;
  domainname?: string;
  /** The container's own addresses, one per network. */
  addresses: readonly string[];
  /** From `parseExtraHosts`. */
  extra: readonly ExtraHost[];
}

export interface ExtraHost {
  name: string;
  address: string;
}

export function hostsText({ hostname, domainname = "", addresses, extra }: HostsInput): string {
  const names = domainname === "" ? hostname : `${hostname}.${domainname} ${hostname}`;
  const own = addresses.map((address) => `${address}\t${names}`);
  return `${[...HEADER, ...extra.map(line), ...own].join("\n")}\n`;
}

/** For containers in the host's namespace: the host's own file and the extra hosts behind it. */
export function hostModeHostsText(hostText: string, extra: readonly ExtraHost[]): string {
  if (extra.length === 0) return hostText;
  const separator = hostText === "" || hostText.endsWith("\n") ? "" : "\n";
  return `${hostText}${separator}${extra.map(line).join("\n")}\n`;
}

/** Parses `name:address`, where `host-gateway` stands for `gateway`. Throws kind "invalid". */
export function parseExtraHosts(entries: readonly string[], gateway: string): ExtraHost[] {
  return entries.map((entry) => {
    const at = entry.indexOf(":");
    const name = at < 0 ? "" : entry.slice(0, at);
    if (name === "" || /\s/.test(name)) throw new EngineError("invalid", `bad format for add-host: "${entry}"`);
    const given = entry.slice(at + 1);
    const address = given === "host-gateway" ? gateway : given.replace(/^\[(.*)\]$/, "$1");
    if (isIP(address) === 0) throw new EngineError("invalid", `invalid IP address in add-host: "${given}"`);
    return { name, address };
  });
}

function line({ name, address }: ExtraHost): string {
  return `${address}\t${name}`;
}
