/** Reads records of networks and sandboxes from the database, also those that older daemons wrote with IPv4 alone. */
import { formatAddress, formatPrefix, networkOf } from "#lib/ip.ts";
import type { PublishedPort } from "./ports.ts";
import type { BridgeConfig, BridgeSubnet, NetworkRecord, SandboxRecord } from "./store.ts";
import type { Endpoint } from "./types.ts";

/** Addresses were 32-bit numbers. */
interface OldPrefix {
  address: number;
  prefix: number;
}

interface OldBridge extends Omit<BridgeConfig, "ipv4" | "ipv6" | "hostBinding"> {
  subnet: OldPrefix;
  gateway: number;
  range?: OldPrefix;
  reserved: number[];
  hostBinding: number;
}

type StoredNetwork = Omit<NetworkRecord, "bridge"> & { bridge?: BridgeConfig | OldBridge; chosenSubnet?: boolean };
type StoredPort = Omit<PublishedPort, "hostAddress"> & { hostAddress: string | number };
type StoredEndpoint = Omit<Endpoint, NewInEndpoint> & Partial<Pick<Endpoint, NewInEndpoint>>;
type NewInEndpoint = "ipv6Address" | "ipv6PrefixLength" | "ipv6Gateway";
type StoredSandbox = Omit<SandboxRecord, "published" | "endpoints"> & {
  published: StoredPort[];
  endpoints: StoredEndpoint[];
};

export function networkOfText(text: string): NetworkRecord {
  const { bridge, chosenSubnet = false, ...network } = JSON.parse(text) as StoredNetwork;
  if (bridge === undefined) return network;
  return { ...network, bridge: "subnet" in bridge ? bridgeOf(bridge, chosenSubnet) : bridge };
}

export function sandboxOfText(text: string): SandboxRecord {
  const sandbox = JSON.parse(text) as StoredSandbox;
  return {
    ...sandbox,
    // JSON drops an undefined path, which is what a container of the host's namespace has.
    netnsPath: sandbox.netnsPath,
    endpoints: sandbox.endpoints.map((endpoint) => ({
      ipv6Address: "",
      ipv6PrefixLength: 0,
      ipv6Gateway: "",
      ...endpoint,
    })),
    published: publishedOf(sandbox.published),
  };
}

/** Published ports as they were written, here or in the journal of changes. */
export function publishedOf(ports: readonly StoredPort[]): PublishedPort[] {
  return ports.map(({ hostAddress, ...port }) => ({ ...port, hostAddress: addressText(hostAddress) }));
}

function bridgeOf(old: OldBridge, chosen: boolean): BridgeConfig {
  const { subnet, gateway, range, reserved, hostBinding, ...rest } = old;
  const ipv4: BridgeSubnet = {
    subnet: prefixText(subnet),
    gateway: gateway === 0 ? "" : addressText(gateway),
    ...(range !== undefined && { range: prefixText(range) }),
    reserved: reserved.map(addressText),
    chosen,
    mode: "nat",
  };
  return { ...rest, ipv4, hostBinding: addressText(hostBinding) };
}

function addressText(address: number | string): string {
  return typeof address === "string" ? address : formatAddress({ family: 4, value: BigInt(address) });
}

function prefixText({ address, prefix }: OldPrefix): string {
  return formatPrefix(networkOf({ family: 4, value: BigInt(address), bits: prefix }));
}
