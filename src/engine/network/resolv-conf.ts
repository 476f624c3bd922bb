/** Writes a container's /etc/resolv.conf: the host's, without what only the host can reach (resolv.conf(5)). */
import { readFileSync } from "node:fs";
import { canonicalAddress } from "#lib/ip.ts";

export interface ResolvConf {
  nameservers: string[];
  search: string[];
  options: string[];
}

export const HOST_FILE = "/etc/resolv.conf";
const SYSTEMD_RESOLVED_STUB = "127.0.0.53";
/** Where systemd-resolved tells the servers behind its stub. */
const SYSTEMD_RESOLVED_FILE = "/run/systemd/resolve/resolv.conf";
/** Docker's choice for hosts that have no nameserver a container could reach. */
const FALLBACK = ["8.8.8.8", "8.8.4.4"];

/** The host's file, or the one with the real servers where systemd-resolved hides them. Empty where there is none. */
export function hostResolvConfText(): string {
  const text = readOrEmpty(HOST_FILE);
  const { nameservers } = parseResolvConf(text);
  return nameservers.length === 1 && nameservers[0] === SYSTEMD_RESOLVED_STUB
    ? readOrEmpty(SYSTEMD_RESOLVED_FILE)
    : text;
}

/** The last `search` or `domain` line counts; of `options` all do. */
export function parseResolvConf(text: string): ResolvConf {
  const found: ResolvConf = { nameservers: [], search: [], options: [] };
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver" && values[0] !== undefined) found.nameservers.push(values[0]);
    else if (keyword === "search" || keyword === "domain") found.search = values;
    else if (keyword === "options") found.options.push(...values);
  }
  return found;
}

/**
 * The text for a container that asks the servers itself: those on loopback are left out, and without `ipv6` those on
 * IPv6; of a host that has no others Docker's public ones stand in. A list in `overrides` that is not empty replaces the host's;
 * the search domain "." means none.
 */
export function containerResolvConf(hostText: string, overrides: Partial<ResolvConf>, ipv6 = false): string {
  const host = parseResolvConf(hostText);
  const reachable = host.nameservers.filter((server) => isReachable(server, ipv6));
  const nameservers = chosen(overrides.nameservers, reachable.length > 0 ? reachable : FALLBACK);
  const search = chosen(overrides.search, host.search).filter((domain) => domain !== ".");
  const options = chosen(overrides.options, host.options);
  const lines = nameservers.map((server) => `nameserver ${server}`);
  if (search.length > 0) lines.push(`search ${search.join(" ")}`);
  if (options.length > 0) lines.push(`options ${options.join(" ")}`);
  return `${lines.join("\n")}\n`;
}

/** A server on a link (`fe80::1%eth0`) is on the host's, and known by a name that the container does not have. */
function isReachable(server: string, ipv6: boolean): boolean {
  if (!server.includes(":")) return !server.startsWith("127.");
  const address = canonicalAddress(server);
  return ipv6 && address !== undefined && address !== "::1";
}

function chosen(override: readonly string[] | undefined, otherwise: readonly string[]): readonly string[] {
  return override !== undefined && override.length > 0 ? override : otherwise;
}

/** For files that may be absent. */
export function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
