/** Schema of `Changes` in the body of `POST /containers/{id}/update`: unlike Docker's own fields it takes no unknown ones. */
import { z } from "zod";
import type { ContainerChanges } from "#api/types/change.ts";
import { mountSchema, portBindingsSchema } from "./container-parts.ts";
import { flag, list, text, textList, textMap } from "./decode.ts";
import { endpointSchema } from "./network.ts";

/** What is fixed when a container is made. */
const FIXED = new Set([
  "Hostname",
  "Domainname",
  "User",
  "Tty",
  "OpenStdin",
  "Cmd",
  "Entrypoint",
  "Image",
  "WorkingDir",
  "Healthcheck",
  "MacAddress",
  "AutoRemove",
  "CapAdd",
  "CapDrop",
  "CgroupnsMode",
  "Devices",
  "DeviceRequests",
  "GroupAdd",
  "Init",
  "IpcMode",
  "LogConfig",
  "NetworkMode",
  "OomScoreAdj",
  "PidMode",
  "Privileged",
  "ReadonlyRootfs",
  "Runtime",
  "SecurityOpt",
  "ShmSize",
  "StopSignal",
  "StopTimeout",
  "StorageOpt",
  "Sysctls",
  "UTSMode",
  "Ulimits",
  "UsernsMode",
  "VolumesFrom",
]);

function unknownKey(keys: readonly string[], path: string): string {
  const fixed = path === "Changes" ? keys.find((key) => FIXED.has(key)) : undefined;
  if (fixed !== undefined) return `cannot change ${fixed} of a container: recreate the container with the new value`;
  return `unknown field "${keys[0] ?? ""}" in ${path}`;
}

function strict<T extends z.core.$ZodLooseShape>(path: string, shape: T) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? unknownKey(issue.keys ?? [], path) : undefined),
  });
}

/** `null` and absence are the same. */
function part<T extends z.core.$ZodLooseShape>(name: string, shape: T) {
  return strict(`Changes.${name}`, shape)
    .nullish()
    .transform((value) => value ?? null);
}

const listChange = { Add: textList, Remove: textList };
const portSelector = strict("Changes.PortBindings.Remove", {
  Port: text,
  HostIp: text,
  HostPort: text,
  Protocol: text,
});
const endpoints = z
  .record(z.string(), endpointSchema)
  .nullish()
  .transform((map) => map ?? null);

export const changesSchema: z.ZodType<ContainerChanges | null> = strict("Changes", {
  PortBindings: part("PortBindings", { Add: portBindingsSchema, Remove: list(portSelector) }),
  Binds: part("Binds", { Add: textList }),
  Mounts: part("Mounts", { Add: list(mountSchema), Remove: textList, Force: flag }),
  Networks: part("Networks", { Add: endpoints, Remove: textList }),
  Labels: part("Labels", { Add: textMap, Remove: textList }),
  Env: part("Env", listChange),
  ExtraHosts: part("ExtraHosts", listChange),
  Dns: part("Dns", listChange),
  DnsSearch: part("DnsSearch", listChange),
  DnsOptions: part("DnsOptions", listChange),
})
  .nullish()
  .transform((changes) => changes ?? null);
