/** Reads `--network` and turns the network options of run and create into endpoint settings. */
import type { NetworkingConfig } from "#api/types/container-config.ts";
import type { EndpointSettings } from "#api/types/network.ts";
import { splitCsv } from "../kinds.ts";
import { quote } from "../go.ts";
import { isAddress } from "./port-spec.ts";

/** One network to attach to. */
export interface Attachment {
  readonly target: string;
  readonly aliases?: readonly string[];
  readonly links?: readonly string[];
  readonly driverOpts?: Readonly<Record<string, string>>;
  readonly ip?: string;
  readonly ip6?: string;
  readonly linkLocal?: readonly string[];
  readonly mac?: string;
  readonly priority?: number;
}

/** One `--network`: a name, or `name=…,alias=…,ip=…`. Throws Docker's messages. */
export function parseNetwork(text: string): Attachment {
  if (!/\w+=\w+(,\w+=\w+)*/.test(text)) return { target: text };
  let found: Attachment = { target: "" };
  for (const field of splitCsv(text)) {
    const cut = field.indexOf("=");
    if (cut <= 0) throw new Error(`invalid field ${field}`);
    const key = field.slice(0, cut).trim().toLowerCase();
    found = {
      ...found,
      ...attach(
        found,
        key,
        field
          .slice(cut + 1)
          .trim()
          .toLowerCase(),
      ),
    };
  }
  if (found.target === "") throw new Error("network name/id is not specified");
  return found;
}

function attach(found: Attachment, key: string, value: string): Partial<Attachment> {
  switch (key) {
    case "name":
      return { target: value };
    case "alias":
      return { aliases: [...(found.aliases ?? []), value] };
    case "ip":
      return { ip: value };
    case "ip6":
      return { ip6: value };
    case "mac-address":
      return { mac: value };
    case "link-local-ip":
      return { linkLocal: [...(found.linkLocal ?? []), value] };
    case "driver-opt": {
      const cut = value.indexOf("=");
      if (cut <= 0) throw new Error("invalid key value pair format in driver options");
      return { driverOpts: { ...found.driverOpts, [value.slice(0, cut).trim()]: value.slice(cut + 1).trim() } };
    }
    case "gw-priority":
      if (!/^[+-]?\d+$/.test(value)) throw new Error(`invalid gw-priority (${value}): invalid syntax`);
      return { priority: Number(value) };
    default:
      throw new Error(`invalid field key ${key}`);
  }
}

/** What `--ip`, `--network-alias` and their like say; they go to the first network. */
export type PlainOptions = Omit<Attachment, "target" | "driverOpts" | "priority">;

/**
 * Endpoints for `--network` (possibly none) and the plain options. A single network without any option has no
 * endpoint: the daemon makes it from the network mode. Throws Docker's messages.
 */
export function networkingConfig(networks: readonly Attachment[], plain: PlainOptions): NetworkingConfig {
  const endpoints: NonNullable<NetworkingConfig["EndpointsConfig"]> = {};
  const attachments = networks.length > 0 ? networks : [{ target: "default" }];
  attachments.forEach((attachment, at) => {
    const settings = endpoint(at === 0 ? merge(attachment, plain) : attachment);
    if (Object.hasOwn(endpoints, attachment.target))
      throw new Error(`network ${quote(attachment.target)} is specified multiple times`);
    if (networks.length === 1 && Object.keys(settings).length === 0) return;
    endpoints[attachment.target] = settings;
  });
  const kinds = new Set(networks.map(({ target }) => isUserDefined(target)));
  if (kinds.size > 1)
    throw new Error("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  return { EndpointsConfig: endpoints };
}

/** Docker's names of what a plain option and a field of `--network` both set. */
const exclusive: readonly (readonly [keyof PlainOptions, string])[] = [
  ["aliases", "--network-alias and per-network alias"],
  ["links", "--link and per-network links"],
  ["ip", "--ip and per-network IPv4 address"],
  ["ip6", "--ip6 and per-network IPv6 address"],
  ["mac", "--mac-address and per-network MAC address"],
  ["linkLocal", "--link-local-ip and per-network link-local IP addresses"],
];

function merge(attachment: Attachment, plain: PlainOptions): Attachment {
  const { links, ...rest } = plain;
  for (const [key, both] of exclusive) {
    if (attachment[key] !== undefined && plain[key] !== undefined)
      throw new Error(`conflicting options: cannot specify both ${both}`);
  }
  // On the default bridge a link is the container's own, in HostConfig.
  return { ...attachment, ...rest, ...(links && isUserDefined(attachment.target) ? { links } : {}) };
}

/** As the API has one network of `--network`. Throws Docker's messages. */
export function endpoint({
  target,
  aliases,
  links,
  driverOpts,
  ip,
  ip6,
  linkLocal,
  mac,
  priority,
}: Attachment): Partial<EndpointSettings> {
  if (target.trim() === "") throw new Error("no name set for network");
  if (!isUserDefined(target)) {
    if (aliases) throw new Error("network-scoped aliases are only supported for user-defined networks");
    if (links) throw new Error("links are only supported for user-defined networks");
  }
  if (mac !== undefined && !isMac(mac)) throw new Error(`${mac} is not a valid mac address`);
  const addresses = ip !== undefined || ip6 !== undefined || linkLocal !== undefined;
  return {
    ...(aliases ? { Aliases: [...aliases] } : {}),
    ...(links ? { Links: [...links] } : {}),
    ...(driverOpts ? { DriverOpts: { ...driverOpts } } : {}),
    ...(addresses
      ? {
          IPAMConfig: {
            ...(ip === undefined ? {} : { IPv4Address: ip }),
            ...(ip6 === undefined ? {} : { IPv6Address: ip6 }),
            ...(linkLocal ? { LinkLocalIPs: [...linkLocal] } : {}),
          },
        }
      : {}),
    ...(mac === undefined ? {} : { MacAddress: mac }),
    ...(priority === undefined ? {} : { GwPriority: priority }),
  };
}

function isUserDefined(mode: string): boolean {
  return !["default", "bridge", "host", "none", "nat"].includes(mode) && !mode.startsWith("container:");
}

/** EUI-48, EUI-64 or an InfiniBand address, as Go's net.ParseMAC takes them. */
export function isMac(text: string): boolean {
  return (
    /^[0-9a-f]{2}(([:-])[0-9a-f]{2})(\2[0-9a-f]{2}){4}((\2[0-9a-f]{2}){2})?$/i.test(text.trim()) ||
    /^[0-9a-f]{4}(\.[0-9a-f]{4}){2,3}$/i.test(text.trim())
  );
}

/** Throws Docker's message for what is no address. */
export function checkAddress(text: string): string {
  const address = text.trim();
  if (!isAddress(address)) throw new Error(`IP address is not correctly formatted: ${text}`);
  return address;
}
