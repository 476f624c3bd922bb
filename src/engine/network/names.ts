/** Names of what a daemon puts into the kernel, chosen so that several daemons live side by side. */
import { createHash, randomBytes } from "node:crypto";
import { addressBytes, addressOf } from "#lib/ip.ts";

const DEFAULT_EXEC_ROOT = "/run/berth";

/** Device name of the default bridge and name of the nftables table of the daemon with this exec root. */
export function defaultNames(execRoot: string): { bridge: string; table: string } {
  if (execRoot === DEFAULT_EXEC_ROOT) return { bridge: "berth0", table: "berth" };
  const mark = createHash("sha256").update(execRoot).digest("hex").slice(0, 8);
  return { bridge: `berth-${mark}`, table: `berth_${mark}` };
}

/** Device name of a user-defined network; not Docker's `br-`, which Docker's own rules watch. */
export function bridgeDevice(networkId: string): string {
  return `bt-${networkId.slice(0, 12)}`;
}

/** 64 hex digits. */
export function randomId(): string {
  return randomBytes(32).toString("hex");
}

export function vethName(): string {
  return `veth${randomBytes(4).toString("hex").slice(0, 7)}`;
}

/** Made of the address, as Docker does for IPv4: equal addresses keep neighbours' caches true. */
export function macOf(text: string): string {
  const address = addressOf(text);
  const bytes = addressBytes(address);
  const hex =
    address.family === 4
      ? `0242${Buffer.from(bytes).toString("hex")}`
      : `02${createHash("sha256").update(bytes).digest("hex").slice(0, 10)}`;
  return hex.replaceAll(/(..)(?!$)/g, "$1:");
}

/** What a device name may be: it is written into nftables scripts and into paths below /proc. */
export function isDeviceName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,14}$/.test(name);
}
