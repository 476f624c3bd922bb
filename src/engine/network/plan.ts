/** Decides, before anything is made, which networks a container joins and how; refuses what cannot be. */
import type { EndpointSettings } from "#api/types/network.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { addressOf, canonicalAddress, contains, type IpFamily, prefixOf } from "#lib/ip.ts";
import { type InterfaceOptions, interfaceOptions } from "./endpoint-options.ts";
import { FAMILIES, familyOfText, subnetOf } from "./families.ts";
import { linkNames } from "./link-option.ts";
import type { BridgeConfig, NetworkRecord, NetworkStore, SubnetConfig } from "./store.ts";
import { joined } from "./subnet-config.ts";
import type { SandboxRequest } from "./types.ts";

const ONLY_USER_DEFINED = "user specified IP address is supported on user defined networks only";

export type BridgeNetwork = NetworkRecord & { bridge: BridgeConfig };

/** One network to join. */
export interface Attachment extends InterfaceOptions {
  network: BridgeNetwork;
  /** Chosen by the user, by family. */
  addresses: Partial<Record<IpFamily, string>>;
  mac?: string;
  aliases: string[];
  /** Names of containers by what only this one calls them. */
  links?: Record<string, string>;
  gatewayPriority: number;
}

export type SandboxPlan =
  | { kind: "host" | "none"; network: NetworkRecord }
  | { kind: "shared"; with: string }
  | { kind: "own"; attachments: Attachment[] };

export type PlanRequest = Omit<SandboxRequest, "containerId" | "name" | "hostname">;

/** Throws kind "not-found" for an unknown network, "invalid" for settings that cannot be, "conflict" for modes that exclude each other. */
export function planSandbox(store: NetworkStore, request: PlanRequest): SandboxPlan {
  const mode = request.mode === "" || request.mode === "default" ? "bridge" : request.mode;
  if (mode.startsWith("container:")) return planShared(mode.slice("container:".length), request);
  // The network of a mode that was left may be gone.
  const main = request.leftMain === true ? undefined : lookup(store, mode);
  const joined = new Map<NetworkRecord, Partial<EndpointSettings>>(main === undefined ? [] : [[main, {}]]);
  for (const [name, settings] of Object.entries(request.endpoints ?? {})) {
    joined.set(lookup(store, name === "default" ? "bridge" : name), settings);
  }
  const [only] = joined.keys();
  if (joined.size === 1 && only !== undefined && only.bridge === undefined && only.held === undefined) {
    refuseAddresses(only, joined.get(only) ?? {});
    return { kind: only.driver === "host" ? "host" : "none", network: only };
  }
  const others = [...joined].filter(([network]) => network !== main).toSorted(([a], [b]) => (a.name < b.name ? -1 : 1));
  const own =
    main === undefined
      ? []
      : [
          [
            main,
            withLinks(mainSettings(joined.get(main) ?? {}, request.macAddress), main, request.links ?? []),
          ] as const,
        ];
  return {
    kind: "own",
    attachments: [...own, ...others].map(([network, settings]) => planAttachment(network, settings)),
  };
}

/** Throws kind "not-found" with Docker's wording. */
export function lookup(store: NetworkStore, ref: string): NetworkRecord {
  const network = store.find(ref);
  if (network === undefined) throw new EngineError("not-found", `network ${ref} not found`);
  return network;
}

/** Throws kind "invalid" with all faults, "conflict" for the networks host and none. */
export function planAttachment(network: NetworkRecord, settings: Partial<EndpointSettings>): Attachment {
  const { bridge } = network;
  if (network.held !== undefined) {
    throw new EngineError("forbidden", "cannot create endpoint on configuration-only network");
  }
  if (bridge === undefined)
    throw new EngineError("conflict", network.driver === "host" ? HOST_CONFLICT : NONE_CONFLICT);
  const { IPv4Address = "", IPv6Address = "", LinkLocalIPs = [] } = settings.IPAMConfig ?? {};
  const userDefined = network.name !== "bridge";
  const faults: string[] = [];
  const addresses: Partial<Record<IpFamily, string>> = {};
  for (const family of FAMILIES) {
    const text = family === 4 ? IPv4Address : IPv6Address;
    if (text === "") continue;
    const address = canonicalAddress(text) ?? "";
    if (address === "" || familyOfText(address) !== family) faults.push(`invalid IPv${family} address: ${text}`);
    else if (!userDefined) faults.push(ONLY_USER_DEFINED);
    else faults.push(...addressFaults(address, subnetOf(bridge, family)));
    addresses[family] = address;
  }
  const mac = settings.MacAddress ?? "";
  if (mac !== "" && !isUnicastMac(mac)) faults.push(`invalid MAC address: ${mac}`);
  if (mac !== "" && network.driver === "ipvlan") {
    faults.push("ipvlan interfaces do not support custom mac address assignment");
  }
  const aliases = settings.Aliases ?? [];
  if (aliases.length > 0 && !userDefined) {
    faults.push("network-scoped alias is supported only for containers in user defined networks");
  }
  let links: Record<string, string> | undefined;
  try {
    links = linkNames(settings.Links ?? []);
    if (links !== undefined && !userDefined) faults.push("links are only supported for user-defined networks");
  } catch (error) {
    faults.push(errorMessage(error));
  }
  const asked = interfaceOptions(settings.DriverOpts ?? {}, LinkLocalIPs, faults);
  if (faults.length > 0) {
    throw new EngineError(
      "invalid",
      `invalid config for network ${network.name}: invalid endpoint settings:\n${joined(faults)}`,
    );
  }
  return {
    ...asked,
    network: { ...network, bridge },
    addresses,
    ...(mac === "" ? {} : { mac: mac.toLowerCase() }),
    aliases,
    ...(links !== undefined && { links }),
    gatewayPriority: settings.GwPriority ?? 0,
  };
}

/** The networks host and none have no addresses to give. */
function refuseAddresses({ name }: NetworkRecord, { IPAMConfig }: Partial<EndpointSettings>): void {
  if (!IPAMConfig?.IPv4Address && !IPAMConfig?.IPv6Address) return;
  throw new EngineError(
    "invalid",
    `invalid config for network ${name}: invalid endpoint settings:\n${ONLY_USER_DEFINED}`,
  );
}

function addressFaults(address: string, config: SubnetConfig | undefined): string[] {
  if (config?.chosen !== true) {
    return ["user specified IP address is supported only when connecting to networks with user configured subnets"];
  }
  if (contains(prefixOf(config.subnet), addressOf(address))) return [];
  return [`no configured subnet or ip-range contain the IP address ${address}`];
}

function planShared(container: string, request: PlanRequest): SandboxPlan {
  const conflict = (what: string): never => {
    throw new EngineError("invalid", `conflicting options: ${what}`);
  };
  if (Object.keys(request.ports ?? {}).length > 0 || request.publishAll) {
    conflict("port publishing and the container type network mode");
  }
  if ((request.dns ?? []).length > 0) conflict("dns and the network mode");
  if ((request.extraHosts ?? []).length > 0) conflict("custom host-to-IP mapping and the network mode");
  if (request.macAddress) conflict("mac-address and the network mode");
  const others = Object.keys(request.endpoints ?? {}).filter((name) => name !== `container:${container}`);
  if (others.length > 0) {
    throw new EngineError(
      "conflict",
      "container sharing network namespace with another container or host cannot be connected to any other network",
    );
  }
  return { kind: "shared", with: container };
}

function mainSettings(settings: Partial<EndpointSettings>, containerMac = ""): Partial<EndpointSettings> {
  if (containerMac === "") return settings;
  if (settings.MacAddress && settings.MacAddress.toLowerCase() !== containerMac.toLowerCase()) {
    throw new EngineError(
      "invalid",
      "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
    );
  }
  return { ...settings, MacAddress: containerMac };
}

/** Links of the default bridge are no names there: its containers have them in their files. */
function withLinks(
  settings: Partial<EndpointSettings>,
  { name }: NetworkRecord,
  links: readonly string[],
): Partial<EndpointSettings> {
  return name === "bridge" || links.length === 0
    ? settings
    : { ...settings, Links: [...(settings.Links ?? []), ...links] };
}

/** Not a multicast address: its lowest bit of the first byte is 0. */
function isUnicastMac(mac: string): boolean {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac) && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
}

const HOST_CONFLICT = "container cannot be disconnected from host network or connected to host network";
const NONE_CONFLICT =
  "container cannot be connected to multiple networks with one of the networks in private (none) mode";
