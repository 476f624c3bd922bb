/** Reads what a container asks of its interface in one network (`--network name=…,driver-opt=…`), with Docker's meaning. */
import { contains, type IpPrefix, parseAddress, prefixOf } from "#lib/ip.ts";
import { isDeviceName } from "./names.ts";
import type { Endpoint } from "./types.ts";

/** What is asked of an interface, beside its addresses. */
export interface InterfaceOptions {
  /** Chosen name inside the container. */
  ifname?: string;
  /** Values by path below /proc/sys, where IFNAME stands for the interface. */
  sysctls?: Readonly<Record<string, string>>;
  /** Further addresses, of the link alone. */
  linkLocal?: readonly IpPrefix[];
}

const IFNAME = "com.docker.network.endpoint.ifname";
const SYSCTLS = "com.docker.network.endpoint.sysctls";

/** Keys that are not Docker's are the user's own. What is wrong goes to `faults`. */
export function interfaceOptions(
  options: Readonly<Record<string, string>>,
  linkLocalIps: readonly string[],
  faults: string[],
): InterfaceOptions {
  const ifname = options[IFNAME] ?? "";
  const unknown = Object.keys(options).find((key) => isDockers(key) && key !== IFNAME && key !== SYSCTLS);
  if (unknown !== undefined) faults.push(`the endpoint option ${unknown} is not supported`);
  if (ifname !== "" && (!isDeviceName(ifname) || ifname === "lo")) faults.push(`invalid interface name "${ifname}"`);
  const linkLocal = linkLocalIps.flatMap((text) => linkLocalPrefix(text, faults));
  const sysctls = sysctlFiles(options[SYSCTLS] ?? "", faults);
  return {
    ...(ifname !== "" && { ifname }),
    ...(Object.keys(sysctls).length > 0 && { sysctls }),
    ...(linkLocal.length > 0 && { linkLocal }),
  };
}

/** The chosen name, or the prefix with the lowest number that no interface of the container has. */
export function interfaceName(
  { ifname }: InterfaceOptions,
  prefix: string,
  endpoints: readonly Pick<Endpoint, "interface">[],
): string {
  if (ifname !== undefined) return ifname;
  const taken = new Set(endpoints.map((endpoint) => endpoint.interface));
  let number = 0;
  while (taken.has(`${prefix}${number}`)) number++;
  return `${prefix}${number}`;
}

/** Files below /proc/sys as seen in the container's namespace. */
export function sysctlsOf({ sysctls = {} }: InterfaceOptions, name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(sysctls).map(([path, value]) => [`/proc/sys/${path.replace("/IFNAME/", `/${name}/`)}`, value]),
  );
}

function isDockers(key: string): boolean {
  return key.startsWith("com.docker.network.");
}

/** `net.ipv4.conf.IFNAME.log_martians=1`, several with commas between them. */
function sysctlFiles(text: string, faults: string[]): Record<string, string> {
  const files: Record<string, string> = {};
  for (const sysctl of text === "" ? [] : text.split(",")) {
    const [name = "", ...value] = sysctl.split("=");
    const [net, kind = "", part, place = "", ...last] = name.split(".");
    const known = net === "net" && ["ipv4", "ipv6", "mpls"].includes(kind) && place.toUpperCase() === "IFNAME";
    if (!known || last.length !== 1 || ![part, ...last].every((one) => /^\w+$/.test(one ?? ""))) {
      const form = "represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'";
      faults.push(`unrecognised network interface sysctl '${sysctl}'; ${form}`);
    } else if (value.length === 0) {
      faults.push(`expected sysctl '${sysctl}' to have format name=value`);
    } else {
      files[[net, kind, part, "IFNAME", ...last].join("/")] = value.join("=");
    }
  }
  return files;
}

function linkLocalPrefix(text: string, faults: string[]): IpPrefix[] {
  const address = parseAddress(text);
  if (address === undefined) {
    faults.push(`invalid link-local IP address: ${text}`);
    return [];
  }
  const range = LINK_LOCAL[address.family];
  if (!contains(range, address)) faults.push(`invalid link local IP address: ${text}`);
  return [{ ...address, bits: address.family === 4 ? 16 : 64 }];
}

const LINK_LOCAL = { 4: prefixOf("169.254.0.0/16"), 6: prefixOf("fe80::/10") } as const;
