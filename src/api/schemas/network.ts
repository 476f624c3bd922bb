/** Schemas of the bodies of `/networks`, and of the networking part of a container. */
import { z } from "zod";
import type {
  EndpointSettings,
  NetworkConnectBody,
  NetworkCreateBody,
  NetworkDisconnectBody,
} from "#api/types/network.ts";
import type { NetworkingConfig } from "#api/types/container-config.ts";
import { flag, integer, list, optionalFlag, text, textList, textMap, withoutEmpty } from "./decode.ts";

export const endpointSchema: z.ZodType<Partial<EndpointSettings> | null> = z
  .object({
    IPAMConfig: z
      .object({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: textList.transform((ips) => ips ?? []) })
      .nullish()
      .transform((config) => (config ? withoutEmpty(config) : null)),
    Links: textList,
    Aliases: textList,
    MacAddress: text,
    DriverOpts: textMap,
    GwPriority: integer,
    NetworkID: text,
    EndpointID: text,
    Gateway: text,
    IPAddress: text,
    IPPrefixLen: integer,
    IPv6Gateway: text,
    GlobalIPv6Address: text,
    GlobalIPv6PrefixLen: integer,
    DNSNames: textList,
  })
  .nullish()
  .transform((settings) => settings ?? null);

export const networkingConfigSchema: z.ZodType<NetworkingConfig> = z
  .object({
    EndpointsConfig: z
      .record(z.string(), endpointSchema)
      .nullish()
      .transform((map) => map ?? null),
  })
  .nullish()
  .transform((config) => config ?? { EndpointsConfig: null });

export const networkCreateSchema: z.ZodType<NetworkCreateBody> = z.object({
  Name: text,
  CheckDuplicate: flag,
  Driver: text,
  Scope: text,
  EnableIPv4: optionalFlag,
  EnableIPv6: optionalFlag,
  IPAM: z
    .object({
      Driver: text,
      Options: textMap,
      Config: list(
        z.object({ Subnet: text, IPRange: text, Gateway: text, AuxiliaryAddresses: textMap }).transform(withoutEmpty),
      ),
    })
    .nullish()
    .transform((ipam) => ipam ?? null),
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: z
    .object({ Network: text })
    .nullish()
    .transform((from) => (from == null || from.Network === "" ? null : from)),
  Options: textMap,
  Labels: textMap,
});

export const networkConnectSchema: z.ZodType<NetworkConnectBody> = z.object({
  Container: text,
  EndpointConfig: endpointSchema,
});
export const networkDisconnectSchema: z.ZodType<NetworkDisconnectBody> = z.object({ Container: text, Force: flag });
