/** Gives the kernel addresses instead of the names of servers: it knows no names. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { EngineError } from "#lib/errors.ts";
import type { VolumeSource } from "./driver-options.ts";

/** Answers the address of a name. */
export type Resolve = (name: string) => Promise<string>;

const SERVED = ["nfs", "nfs4", "cifs"];

/** `addr=` of nfs and cifs, and where that is missing the server in the device of cifs. Rejects "unavailable". */
export async function resolveSource(source: VolumeSource, resolve: Resolve = systemResolve): Promise<VolumeSource> {
  const { type, device, options } = source;
  if (!SERVED.includes(type)) return source;
  const server = /(?:^|,)addr=([^,]*)/.exec(options)?.[1] ?? "";
  if (server !== "") {
    if (isIP(server) !== 0) return source;
    const address = await addressOf(server, resolve);
    return {
      ...source,
      options: options.replace(/(^|,)addr=[^,]*/, (_, before: string) => `${before}addr=${address}`),
    };
  }
  const [, start = "", host = "", rest = ""] = /^((?:\w+:)?\/\/)([^/]*)(.*)$/s.exec(device) ?? [];
  if (type !== "cifs" || host === "" || isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0) return source;
  const address = await addressOf(host, resolve);
  return { ...source, device: `${start}${address}${rest}` };
}

async function addressOf(name: string, resolve: Resolve): Promise<string> {
  try {
    return await resolve(name);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new EngineError("unavailable", `error resolving passed in network volume address: ${why}`, { cause });
  }
}

async function systemResolve(name: string): Promise<string> {
  return (await lookup(name)).address;
}
