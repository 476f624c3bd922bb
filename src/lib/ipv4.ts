/** IPv4 addresses and subnets as plain numbers, so that ranges can be computed with. */

/** `address` is the one that was written, host bits included; see `networkOf`. */
export interface Ipv4Prefix {
  readonly address: number;
  readonly prefix: number;
}

/** The address as an unsigned 32-bit number; undefined unless it is four decimal numbers without leading zeros. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** `10.1.2.3/24`; undefined where it is not one. */
export function parsePrefix(text: string): Ipv4Prefix | undefined {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const address = match?.[1] === undefined ? undefined : parseIpv4(match[1]);
  const prefix = Number(match?.[2]);
  return address === undefined || prefix > 32 ? undefined : { address, prefix };
}

export function formatPrefix({ address, prefix }: Ipv4Prefix): string {
  return `${formatIpv4(address)}/${prefix}`;
}

/** Number of addresses in a subnet with that many prefix bits. */
export function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix);
}

/** The subnet that an address with its prefix lies in. */
export function networkOf({ address, prefix }: Ipv4Prefix): Ipv4Prefix {
  return { address: address - (address % sizeOf(prefix)), prefix };
}

export function lastOf(subnet: Ipv4Prefix): number {
  return networkOf(subnet).address + sizeOf(subnet.prefix) - 1;
}

export function contains(subnet: Ipv4Prefix, address: number): boolean {
  return address >= networkOf(subnet).address && address <= lastOf(subnet);
}

export function overlap(a: Ipv4Prefix, b: Ipv4Prefix): boolean {
  return networkOf(a).address <= lastOf(b) && networkOf(b).address <= lastOf(a);
}
