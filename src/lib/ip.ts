/** IPv4 and IPv6 addresses and subnets as numbers to compute with; their text is that of RFC 5952 and RFC 4632. */
import { EngineError } from "./errors.ts";

export type IpFamily = 4 | 6;

export interface IpAddress {
  readonly family: IpFamily;
  readonly value: bigint;
}

/** An address with the length of its network's prefix; host bits are kept, see `networkOf`. */
export interface IpPrefix extends IpAddress {
  readonly bits: number;
}

/** The address that means every address of the host. */
export const ANY = { 4: "0.0.0.0", 6: "::" } as const satisfies Record<IpFamily, string>;

/** Bits of an address. */
export const WIDTH = { 4: 32, 6: 128 } as const satisfies Record<IpFamily, number>;

/** Undefined where it is no address. IPv6 with a zone is none here; IPv4 inside IPv6 (`::ffff:10.0.0.1`) is IPv4. */
export function parseAddress(text: string): IpAddress | undefined {
  if (!text.includes(":")) {
    const value = parseIpv4(text);
    return value === undefined ? undefined : { family: 4, value };
  }
  const value = parseIpv6(text);
  if (value === undefined) return undefined;
  return value >> 32n === MAPPED ? { family: 4, value: value & 0xffff_ffffn } : { family: 6, value };
}

export function formatAddress({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  const { start, length } = longestZeros(groups);
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** The one way to write this address; undefined where the text is none. */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : formatAddress(address);
}

/** Of text that this program wrote. Throws kind "internal" where it is no address. */
export function addressOf(text: string): IpAddress {
  const address = parseAddress(text);
  if (address === undefined) throw new EngineError("internal", `"${text}" is no IP address`);
  return address;
}

/** `10.1.2.3/24` or `fd00::1/64`; undefined where it is neither. */
export function parsePrefix(text: string): IpPrefix | undefined {
  const [, head = "", length = ""] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const address = parseAddress(head);
  const bits = Number(length);
  // A prefix of IPv4 inside IPv6 counts 128 bits: its length says nothing about IPv4.
  if (address === undefined || bits > WIDTH[address.family] || (address.family === 4 && head.includes(":"))) {
    return undefined;
  }
  return { ...address, bits };
}

/** Of text that this program wrote. Throws kind "internal" where it is no prefix. */
export function prefixOf(text: string): IpPrefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new EngineError("internal", `"${text}" is no IP prefix`);
  return prefix;
}

export function formatPrefix(prefix: IpPrefix): string {
  return `${formatAddress(prefix)}/${prefix.bits}`;
}

/** Number of addresses in a subnet with that many prefix bits. */
export function sizeOf({ family, bits }: Pick<IpPrefix, "family" | "bits">): bigint {
  return 1n << BigInt(WIDTH[family] - bits);
}

/** The subnet that an address with its prefix lies in. */
export function networkOf({ family, value, bits }: IpPrefix): IpPrefix {
  return { family, value: value - (value % sizeOf({ family, bits })), bits };
}

/** The last address of the subnet. */
export function lastOf(subnet: IpPrefix): IpAddress {
  return { family: subnet.family, value: networkOf(subnet).value + sizeOf(subnet) - 1n };
}

/** The address that many behind this one. */
export function offset({ family, value }: IpAddress, by: bigint | number): IpAddress {
  return { family, value: value + BigInt(by) };
}

export function contains(subnet: IpPrefix, { family, value }: IpAddress): boolean {
  return family === subnet.family && value >= networkOf(subnet).value && value <= lastOf(subnet).value;
}

export function overlap(a: IpPrefix, b: IpPrefix): boolean {
  return a.family === b.family && networkOf(a).value <= lastOf(b).value && networkOf(b).value <= lastOf(a).value;
}

/** In network order: 4 or 16 bytes. */
export function addressBytes({ family, value }: IpAddress): Uint8Array {
  const length = WIDTH[family] / 8;
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 255n));
}

/** From 4 or 16 bytes in network order. */
export function addressFromBytes(bytes: Uint8Array): IpAddress {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

/** Four decimal numbers without leading zeros. */
function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let address = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address = (address << 8n) | BigInt(part);
  }
  return address;
}

/** RFC 4291, section 2.2: eight groups, `::` for one or more of zeros, the last two also as IPv4. */
function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const parsed = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  const [head, tail] = parsed;
  if (head === undefined || parsed.some((half) => half === undefined)) return undefined;
  const zeros = 8 - head.length - (tail?.length ?? 0);
  if (halves.length === 1 ? zeros !== 0 : zeros < 1) return undefined;
  const groups = [...head, ...Array.from({ length: zeros }, () => 0), ...(tail ?? [])];
  return groups.reduce((address, group) => (address << 16n) | BigInt(group), 0n);
}

function parseGroups(text: string, last: boolean): number[] | undefined {
  const groups: number[] = [];
  const parts = text === "" ? [] : text.split(":");
  for (const [i, part] of parts.entries()) {
    if (/^[\da-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const embedded = last && i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (embedded === undefined) return undefined;
    groups.push(Number(embedded >> 16n), Number(embedded & 0xffffn));
  }
  return groups;
}

/** The first of the longest runs of zeros. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** What stands before the IPv4 address in ::ffff:0:0/96. */
const MAPPED = 0xffffn;
