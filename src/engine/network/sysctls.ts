/** The kernel settings of the host that networks need. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import type { IpFamily } from "#lib/ip.ts";

/** Whether the kernel has IPv6 and its settings. */
export function hasIpv6(): boolean {
  return existsSync(IPV6);
}

/** Turns on forwarding, without which no container reaches anything. Idempotent. */
export function enableForwarding(family: IpFamily): void {
  if (family === 4) {
    writeSysctl("net/ipv4/ip_forward", "1");
    return;
  }
  if (readSysctl("net/ipv6/conf/all/forwarding") === "1") return;
  keepAdvertisedRoutes();
  writeSysctl("net/ipv6/conf/default/forwarding", "1");
  writeSysctl("net/ipv6/conf/all/forwarding", "1");
}

/** `name` with slashes, as below /proc/sys. */
export function writeSysctl(name: string, value: string): void {
  if (readSysctl(name) === value) return;
  try {
    writeFileSync(`/proc/sys/${name}`, value);
  } catch (cause) {
    throw new EngineError("internal", `cannot set ${name.replaceAll("/", ".")} to ${value}`, { cause });
  }
}

function readSysctl(name: string): string {
  const path = `/proc/sys/${name}`;
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new EngineError("internal", `cannot read ${path}`, { cause });
  }
}

/**
 * A host that forwards takes itself for a router: it drops the default route that it was told by router advertisements,
 * and heeds no more of them. Interfaces that heeded them go on with it (2: also when forwarding).
 */
function keepAdvertisedRoutes(): void {
  for (const name of readdirSync(IPV6)) {
    if (name === "all" || name === "default") continue;
    const folder = `net/ipv6/conf/${name}`;
    try {
      if (readSysctl(`${folder}/accept_ra`) === "1" && readSysctl(`${folder}/forwarding`) === "0")
        writeSysctl(`${folder}/accept_ra`, "2");
    } catch {
      // The interface went meanwhile.
    }
  }
}

const IPV6 = "/proc/sys/net/ipv6/conf";
